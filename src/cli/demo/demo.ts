import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog } from '../../base/log.ts'
import { type NodeService, startNodeService } from '../../compose/node-service.ts'
import { readNodeConfig } from '../../config/node-config.ts'
import type { ScenarioOutcome } from '../../simulator/scenario.ts'
import { SCENARIOS } from '../../simulator/scenarios.ts'
import { listSimulatorReferenceValues } from '../../simulator/virtual-enclave.ts'
import { EXIT, verb } from '../framework/command.ts'
import { flag } from '../framework/options.ts'
import { printJson, printText } from '../framework/output.ts'
import { createProgress, renderBar } from '../framework/progress.ts'
import { listenForStop, untilAborted } from '../framework/signals.ts'
import { renderTable } from '../framework/table.ts'
import { createDemoClient, type DemoClient, playDemo } from './demo-fleet.ts'

export const command = verb({
  about: `Starts the service with a database of its own on a free port, lists a small fleet of virtual Windows
devices, lets them attest over HTTP, healthy and tampered with, and asks for an AuthZEN decision on
each. Then it stays up to be tried, until Ctrl-C.`,
  options: { exit: flag('end by itself instead of staying up') },
  json: 'the outcomes',
  exits: {
    refused: 'a device did not get the answer it should',
    interrupted: 'interrupted before the last device had its answer',
  },
  async run({ exit, json }) {
    const stop = listenForStop()
    const folder = await mkdtemp(join(tmpdir(), 'countersign-demo-'))
    try {
      const clock = { ahead: 0 }
      const service = await startDemoService(folder, () => new Date(Date.now() + clock.ahead))
      try {
        const client = await createDemoClient(service)
        const outcomes = await play(service, client, {
          stop,
          advanceClock: (ms) => {
            clock.ahead += ms
          },
        })
        if (outcomes.length < SCENARIOS.length) return EXIT.interrupted
        if (json) printJson(outcomes.map(plain))
        else printText(table(outcomes))
        if (!exit) {
          // With --json, standard output is for the JSON alone.
          const stream = json ? process.stderr : process.stdout
          stream.write(next(service.url, client, outcomes))
          await untilAborted(stop)
        }
        return outcomes.every(({ correct }) => correct) ? EXIT.done : EXIT.refused
      } finally {
        await service.close()
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
})

async function startDemoService(folder: string, clock: () => Date): Promise<NodeService> {
  const config = await readNodeConfig({ DATA_DIR: folder, PORT: '0', LOG_LEVEL: 'error' })
  const write = (line: string) => process.stderr.write(line)
  return startNodeService(config, {
    simulatedHardware: listSimulatorReferenceValues(),
    clock,
    log: createLog({ level: 'error', write, clock }),
  })
}

async function play(
  service: NodeService,
  client: DemoClient,
  options: { readonly stop: AbortSignal; readonly advanceClock: (ms: number) => void },
): Promise<ScenarioOutcome[]> {
  const progress = createProgress(process.stderr, () => new Date())
  const outcomes: ScenarioOutcome[] = []
  progress.show('starting virtual devices …')
  for await (const outcome of playDemo(service, client, options.advanceClock)) {
    if (options.stop.aborted) break
    outcomes.push(outcome)
    progress.show(`${renderBar(outcomes.length, SCENARIOS.length)}  ${outcome.scenario.name}`)
  }
  progress.end()
  return outcomes
}

function plain({ scenario, ...outcome }: ScenarioOutcome) {
  const { name: device, tries, expected } = scenario
  return { device, tries, ...outcome, expected }
}

function table(outcomes: readonly ScenarioOutcome[]): string {
  const rows = outcomes.map((outcome) => [
    outcome.correct ? '✓' : '✗ WRONG',
    outcome.scenario.name,
    outcome.refusal ?? 'recorded',
    outcome.verdict,
    outcome.decision ? 'granted' : 'denied',
    reasonsBeside(outcome),
  ])
  const right = outcomes.filter(({ correct }) => correct).length
  const head = ['', 'device', 'agent was told', 'verdict', 'decision', 'reasons']
  return `${renderTable(head, rows)}\n\n${right} of ${outcomes.length} devices got the right answer.\n`
}

/** Each thing once: not what the agent was told, and `never_attested` only for want of a better one. */
function reasonsBeside({ reasons, refusal }: ScenarioOutcome): string {
  const others = reasons.filter((reason) => reason !== refusal)
  const telling = others.filter((reason) => reason !== 'never_attested')
  return (telling.length > 0 ? telling : others).join(', ') || '-'
}

function next(url: string, client: DemoClient, outcomes: readonly ScenarioOutcome[]): string {
  const denied = outcomes.find(({ decision, verdict }) => !decision && verdict !== 'unknown')
  const id = (denied ?? outcomes[0])?.deviceId
  const body = JSON.stringify({
    subject: { type: 'device', id },
    action: { name: 'signin' },
    resource: { type: 'application', id: 'payroll' },
  })
  return `
The service stays up at ${url} (Ctrl-C ends it and removes its data). Try:

  curl -su ${client.id}:${client.secret} ${url}/v1/devices
  curl -su ${client.id}:${client.secret} ${url}/access/v1/evaluation \\
    -H 'content-type: application/json' -d '${body}'
`
}
