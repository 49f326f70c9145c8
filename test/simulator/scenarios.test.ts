import { describe, expect, test } from 'vitest'
import { parseReferenceValues } from '../../src/appraisal/reference-values.ts'
import { AttestationAgent } from '../../src/simulator/agent.ts'
import { createAkAuthority } from '../../src/simulator/ak-authority.ts'
import { primeSharingKeys } from '../../src/simulator/key-source.ts'
import { playScenario, startScenarioDevice } from '../../src/simulator/scenario.ts'
import { HEALTHY, SCENARIOS } from '../../src/simulator/scenarios.ts'
import { listSimulatorReferenceValues } from '../../src/simulator/virtual-enclave.ts'
import { expectOk } from '../support/refusal.ts'
import { StandInService } from './stand-in-service.ts'

const url = 'https://countersign.test'
const keys = primeSharingKeys()
const strangeAuthority = await createAkAuthority(new Date())

async function play(scenario: (typeof SCENARIOS)[number], service: StandInService) {
  const { fetch, now, advanceClock, decide, listRefusals } = service
  const device = await startScenarioDevice(scenario, { keys })
  const agent = new AttestationAgent({ device, baseUrl: url, fetch, now })
  const helpers = { keys, now, advanceClock, decide, listRefusals, strangeAuthority }
  return playScenario(scenario, agent, helpers)
}

describe('each device of the demonstration fleet is told what it should be', () => {
  test.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))(
    '%s',
    async (_name, scenario) => {
      const outcome = await play(scenario, new StandInService(url))
      expect(outcome).toMatchObject({ correct: true, deviceId: expect.stringMatching(/^dev_/) })
    },
  )
})

test('a scenario with another end than expected is not correct', async () => {
  const expected = {
    verdict: 'untrusted',
    reasons: [],
    refusal: undefined,
    decision: false,
  } as const
  const outcome = await play({ ...HEALTHY, expected }, new StandInService(url))
  expect(outcome).toMatchObject({ correct: false, verdict: 'trusted', decision: true })
})

test('a service that cannot answer is a fault, not a verdict', async () => {
  const service = new StandInService(url)
  service.fetch = async () => new Response('', { status: 500 })
  await expect(play(HEALTHY, service)).rejects.toThrow('challenge step failed')
})

test('the fleet has distinct names, and only its last scenario moves the clock', () => {
  expect(new Set(SCENARIOS.map(({ name }) => name)).size).toBe(SCENARIOS.length)
  const moving = SCENARIOS.filter(({ movesClock }) => movesClock)
  expect(moving).toEqual([SCENARIOS.at(-1)])
})

test('the reference values of the simulator are a valid document', () => {
  expectOk(parseReferenceValues(listSimulatorReferenceValues()))
})
