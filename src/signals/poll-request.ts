import { z } from 'zod'
import { err, ok, type Result } from '../base/result.ts'
import { MAX_ACKNOWLEDGED, MAX_POLLED_EVENTS, MAX_REFUSAL_CHARS } from './limits.ts'

export const POLL_REASONS = ['poll_malformed'] as const

/** `member` is the one that is wrong; empty for the body as a whole. */
export type PollFailure = {
  readonly reason: (typeof POLL_REASONS)[number]
  readonly member: string
}

/** What a receiver asks when it polls, and what became of what it got before (RFC 8936 §2.2). */
export type PollRequest = {
  /** 0: it acknowledges, and wants none. */
  readonly maxEvents: number
  /** False: it waits until there is an event. */
  readonly returnImmediately: boolean
  /** The `jti` of tokens that arrived. */
  readonly acknowledged: readonly string[]
  /** Of tokens that it will never take, and why. */
  readonly refused: readonly PollRefusal[]
}

export type PollRefusal = {
  readonly tokenId: string
  readonly error: string
  readonly description: string
}

const tokenId = z.string().min(1).max(255)

/** The body of a poll. */
export const pollBody = z.object({
  maxEvents: z.int().min(0).optional(),
  returnImmediately: z.boolean().optional(),
  ack: z.array(tokenId).max(MAX_ACKNOWLEDGED).optional(),
  setErrs: z
    .record(tokenId, z.object({ err: z.string(), description: z.string().optional() }))
    .optional(),
})

/**
 * Reads the body of a poll. Members that RFC 8936 does not know are passed over, as its §2.2 allows none of
 * ours to rely on them; more acknowledgements than are read at once are refused, so that none is lost.
 */
export function readPollRequest(body: unknown): Result<PollRequest, PollFailure> {
  const read = pollBody.safeParse(body)
  if (!read.success) return malformed(read.error.issues[0]?.path.join('.') ?? '')
  const { maxEvents = MAX_POLLED_EVENTS, returnImmediately = false } = read.data
  const { ack = [], setErrs = {} } = read.data
  const refused = Object.entries(setErrs).map(([tokenId, { err: error, description = '' }]) => ({
    tokenId,
    error: error.slice(0, MAX_REFUSAL_CHARS),
    description: description.slice(0, MAX_REFUSAL_CHARS),
  }))
  if (refused.length > MAX_ACKNOWLEDGED) return malformed('setErrs')
  return ok({
    ...{ maxEvents: Math.min(maxEvents, MAX_POLLED_EVENTS), returnImmediately },
    ...{ acknowledged: ack, refused },
  })
}

function malformed(member: string): Result<never, PollFailure> {
  return err({ reason: 'poll_malformed', member })
}
