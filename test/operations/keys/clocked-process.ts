import { createNodeLog, startNodeService } from '../../../src/compose/node-service.ts'
import { readNodeConfig } from '../../../src/config/node-config.ts'
import { listSimulatorReferenceValues } from '../../../src/simulator/virtual-enclave.ts'

/**
 * A process of the service whose clock is set from outside: a message has the milliseconds that it is
 * ahead of the machine's, and is answered when it counts.
 */
let aheadMs = 0
const clock = () => new Date(Date.now() + aheadMs)
process.on('message', (message) => {
  aheadMs = Number(message)
  process.send?.({ aheadMs })
})
// It is not to outlive the test.
process.once('disconnect', () => process.exit())
const config = await readNodeConfig(process.env)
const service = await startNodeService(config, {
  clock,
  log: createNodeLog(config),
  simulatedHardware: listSimulatorReferenceValues(),
})
process.send?.({ url: service.url })
