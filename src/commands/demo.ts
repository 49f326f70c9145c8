import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog } from '../log.ts'
import { type NodeService, readNodeConfig, startNodeService } from '../node.ts'
import type { ScenarioOutcome } from '../simulator/scenario.ts'
import { SCENARIOS } from '../simulator/scenarios.ts'
import { type Command, readArguments } from './arguments.ts'
import { createDemoClient, type DemoClient, playDemo } from './demo-fleet.ts'
import { createProgress, renderBar } from './progress.ts'
import { untilStopped } from './signals.ts'
import { renderTable } from './table.ts'

export const command: Command = {
  summary: 'watch virtual devices attest and be granted or denied',
  help: `Usage: countersign demo [--exit] [--json]

Starts the service with a database of its own on a free port, lets a small fleet of virtual Windows
devices attest over HTTP, healthy and tampered with, and asks for an AuthZEN decision on each.

  --exit   end by itself instead of staying up
  --json   print the outcomes as JSON

Exit status with --exit: 0 when every device got the right answer, 2 otherwise.
`,
  async run(args) {
    const { values } = readArguments(args, {
      exit: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    } as const)
    const folder = await mkdtemp(join(tmpdir(), 'countersign-demo-'))
    const clock = { ahead: 0 }
    const service = await startDemoService(folder, () => new Date(Date.now() + clock.ahead))
    try {
      const client = await createDemoClient(service)
      const outcomes = await play(service, client, (ms) => {
        clock.ahead += ms
      })
      process.stdout.write(
        values.json ? `${JSON.stringify(outcomes.map(plain))}\n` : table(outcomes),
      )
      const right = outcomes.every(({ correct }) => correct)
      if (values.exit) return right ? 0 : 2
      process.stdout.write(next(service.url, client, outcomes))
      await untilStopped()
      return 0
    } finally {
      await service.close()
      await rm(folder, { recursive: true, force: true })
    }
  },
}

async function startDemoService(folder: string, clock: () => Date): Promise<NodeService> {
  const config = await readNodeConfig({ DATA_DIR: folder, PORT: '0', LOG_LEVEL: 'error' })
  const write = (line: string) => process.stderr.write(line)
  return startNodeService(config, { clock, log: createLog({ level: 'error', write, clock }) })
}

async function play(
  service: NodeService,
  client: DemoClient,
  advanceClock: (ms: number) => void,
): Promise<ScenarioOutcome[]> {
  const progress = createProgress(process.stderr, () => new Date())
  const outcomes: ScenarioOutcome[] = []
  progress.show('starting virtual devices …')
  for await (const outcome of playDemo(service, client, advanceClock)) {
    outcomes.push(outcome)
    progress.show(`${renderBar(outcomes.length, SCENARIOS.length)}  ${outcome.scenario.name}`)
  }
  progress.end()
  return outcomes
}

function plain({ scenario, ...outcome }: ScenarioOutcome) {
  return { device: scenario.name, tries: scenario.tries, ...outcome, expected: scenario.expected }
}

function table(outcomes: readonly ScenarioOutcome[]): string {
  const rows = outcomes.map((outcome) => [
    outcome.correct ? '✓' : '✗ WRONG',
    outcome.scenario.name,
    outcome.verdict,
    outcome.decision ? 'granted' : 'denied',
    [outcome.refusal, ...outcome.reasons].filter((code) => code !== undefined).join(' ') || '-',
  ])
  const right = outcomes.filter(({ correct }) => correct).length
  const head = ['', 'device', 'verdict', 'decision', 'reasons']
  return `${renderTable(head, rows)}\n\n${right} of ${outcomes.length} devices got the right answer.\n`
}

function next(url: string, client: DemoClient, outcomes: readonly ScenarioOutcome[]): string {
  const id = outcomes.find(({ decision }) => !decision)?.deviceId ?? outcomes[0]?.deviceId
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
