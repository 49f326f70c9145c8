import { setTimeout as delay } from 'node:timers/promises'
import type { Fleet } from './fleet.ts'
import { readInput, say } from './variant.ts'

export type OpenLoadInput = {
  readonly url: string
  readonly client: Fleet['client']
  readonly deviceIds: readonly string[]
  /** Questions that begin in a second, whether or not earlier ones are answered. */
  readonly perSecond: number
  readonly seconds: number
}

export type OpenLoadReport = {
  readonly decisions: number
  /** Whatever was no decision. */
  readonly others: number
  readonly p50Millis: number
  readonly p99Millis: number
}

const WARM_UP = 100

/**
 * An open loop: each question has its time, and what it takes counts from there, so that an answer that
 * is late makes those after it late as well, as it does to people.
 */
const { url, client, deviceIds, perSecond, seconds } = readInput<OpenLoadInput>()
const authorization = `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`
for (let index = 0; index < WARM_UP; index++) await ask(index)

const latencies: number[] = []
let others = 0
const begun = performance.now()
const asked = Array.from({ length: perSecond * seconds }, async (_, index) => {
  const due = begun + (index * 1000) / perSecond
  await delay(Math.max(0, due - performance.now()))
  if (!(await ask(index))) others += 1
  latencies.push(performance.now() - due)
})
await Promise.all(asked)
latencies.sort((a, b) => a - b)
say({
  decisions: latencies.length - others,
  others,
  p50Millis: quantile(0.5),
  p99Millis: quantile(0.99),
} satisfies OpenLoadReport)

async function ask(index: number): Promise<boolean> {
  const answer = await fetch(`${url}/access/v1/evaluation`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({
      subject: { type: 'device', id: deviceIds[index % deviceIds.length] },
      action: { name: 'login' },
      resource: { type: 'application', id: 'mail' },
    }),
  })
  await answer.arrayBuffer()
  return answer.status === 200
}

function quantile(share: number): number {
  const value = latencies[Math.floor((latencies.length - 1) * share)] ?? Number.NaN
  return Math.round(value * 100) / 100
}
