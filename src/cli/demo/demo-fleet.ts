import { toBase64, toUtf8 } from '../../base/encoding.ts'
import type { NodeService } from '../../compose/node-service.ts'
import { CLIENT_SECRET_BYTES, hashClientSecret, newClientSecret } from '../../keys/client-secret.ts'
import { AttestationAgent } from '../../simulator/agent.ts'
import { createAkAuthority } from '../../simulator/ak-authority.ts'
import { independentKeys } from '../../simulator/key-source.ts'
import {
  playScenario,
  type ScenarioDecision,
  type ScenarioHelpers,
  type ScenarioOutcome,
  startScenarioDevice,
} from '../../simulator/scenario.ts'
import { SCENARIOS } from '../../simulator/scenarios.ts'
import { SCOPES } from '../../store/store.ts'

/** An API client with every scope, made for one demo. */
export type DemoClient = { readonly id: string; readonly secret: string }

export async function createDemoClient({ services }: NodeService): Promise<DemoClient> {
  const id = 'cli_demo'
  const secret = newClientSecret(services.random(CLIENT_SECRET_BYTES))
  await services.store.createClient({
    clientId: id,
    name: 'demo',
    secretHash: hashClientSecret(secret),
    scopes: SCOPES,
    by: 'demo',
    now: services.clock(),
  })
  return { id, secret }
}

/** Plays every scenario over HTTP, one after the other, as agents, provider and administrator. */
export async function* playDemo(
  service: NodeService,
  client: DemoClient,
  advanceClock: (ms: number) => void,
): AsyncGenerator<ScenarioOutcome> {
  const now = service.services.clock
  const keys = independentKeys()
  const helpers: ScenarioHelpers = {
    keys,
    now,
    advanceClock,
    decide: (deviceId) => askForDecision(service.url, client, deviceId),
    listRefusals: (deviceId) => listRefusals(service.url, client, deviceId),
    strangeAuthority: await createAkAuthority(now()),
  }
  for (const scenario of SCENARIOS) {
    const device = await startScenarioDevice(scenario, { keys })
    await listDevice(service.url, client, device.deviceKey)
    const agent = new AttestationAgent({ device, baseUrl: service.url, now })
    yield await playScenario(scenario, agent, helpers)
  }
}

/** As an administrator would who bought it: of a device that is known refused attempts are kept. */
async function listDevice(url: string, client: DemoClient, deviceKey: string): Promise<void> {
  const answer = await fetch(`${url}/v1/devices`, {
    method: 'POST',
    headers: { authorization: basic(client), 'content-type': 'application/json' },
    body: JSON.stringify({ device_key: deviceKey }),
  })
  await readAnswer(answer)
}

/** As an identity provider would: AuthZEN 1.0 §6. */
async function askForDecision(
  url: string,
  client: DemoClient,
  deviceId: string,
): Promise<ScenarioDecision> {
  const answer = await fetch(`${url}/access/v1/evaluation`, {
    method: 'POST',
    headers: { authorization: basic(client), 'content-type': 'application/json' },
    body: JSON.stringify({
      subject: { type: 'device', id: deviceId },
      action: { name: 'signin' },
      resource: { type: 'application', id: 'payroll' },
    }),
  })
  const { decision, context } = (await readAnswer(answer)) as {
    readonly decision: boolean
    readonly context: {
      readonly verdict: string
      readonly reasons: readonly { readonly code: string; readonly clause?: string }[]
    }
  }
  const reasons = context.reasons.map(({ code, clause }) => clause ?? code)
  return { decision, verdict: context.verdict, reasons }
}

/** As an administrator would. */
async function listRefusals(
  url: string,
  client: DemoClient,
  deviceId: string,
): Promise<readonly string[]> {
  const answer = await fetch(`${url}/v1/devices/${deviceId}/attestations`, {
    headers: { authorization: basic(client) },
  })
  const { attestations } = (await readAnswer(answer)) as {
    readonly attestations: readonly {
      readonly outcome: string
      readonly reasons: readonly { readonly code: string }[]
    }[]
  }
  return attestations
    .filter(({ outcome }) => outcome === 'refused')
    .flatMap(({ reasons }) => reasons.map(({ code }) => code))
}

async function readAnswer(answer: Response): Promise<unknown> {
  if (!answer.ok) throw new Error(`the service answered ${answer.status}: ${await answer.text()}`)
  return answer.json()
}

function basic({ id, secret }: DemoClient): string {
  return `Basic ${toBase64(toUtf8(`${id}:${secret}`))}`
}
