import { startNodeService } from '../../src/compose/node-service.ts'
import { readNodeConfig } from '../../src/config/node-config.ts'
import { listSimulatorReferenceValues } from '../../src/simulator/virtual-enclave.ts'
import type { StatementLimits, StoreUse } from '../../src/store/drivers/statement-limits.ts'

/**
 * The service as `serve` starts it, with shorter limits for its statements, so that a fault of a few
 * seconds is to it what one of half a minute is to a real one.
 */
const SHORT: Readonly<Record<StoreUse, StatementLimits>> = {
  decisions: { statementMs: 1000, lockMs: 300, answerMs: 1500 },
  recordings: { statementMs: 1500, lockMs: 300, answerMs: 2000 },
  administration: { statementMs: 2000, lockMs: 500, answerMs: 2500 },
  jobs: { statementMs: 2000, lockMs: 300, answerMs: 2500 },
}

const config = await readNodeConfig(process.env)
const service = await startNodeService(config, {
  simulatedHardware: listSimulatorReferenceValues(),
  statementLimits: SHORT,
})
process.once('SIGTERM', () => void service.close())
