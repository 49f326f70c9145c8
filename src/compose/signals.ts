import { fromBase64, fromUtf8, toBase32, toBase64, toUtf8 } from '../base/encoding.ts'
import type { SignalServices } from '../http/signals/routes.ts'
import { type PurposeKeys, seal, unseal } from '../keys/sealing.ts'
import type { Bell } from '../operations/signals/bell.ts'
import type { DeliverRoundDependencies } from '../operations/signals/deliver-round.ts'
import { PUSH } from '../signals/stream.ts'
import { pollUrlOf } from '../signals/transmitter.ts'
import type { Services } from './services.ts'

const POLL_PAUSE_MS = 1000
const STREAM_ID_BYTES = 16

/** What the routes of receivers work with. */
export function signalServices(services: Services): SignalServices {
  const { config, store, rules, clock, random, sealing, signEvent, makeEventKey } = services
  const issuer = config.publicUrl
  return {
    ...services,
    streams: {
      ...{ store, issuer, clock, makeEventKey },
      sealAuthorization: (authorization, streamId) => {
        const [key] = sealing.streamAuthorization
        const plaintext = toUtf8(authorization)
        return toBase64(seal({ key, plaintext, context: contextOf(streamId) }))
      },
      pollUrlOf: (streamId) => pollUrlOf(issuer, streamId),
      newStreamId: () => `str_${toBase32(random(STREAM_ID_BYTES))}`,
    },
    polls: {
      ...{ store, rules, issuer, signEvent, clock },
      waitForEvents: (signal) => waitForEvents(services.bell, signal),
    },
  }
}

/** What whoever delivers works with. */
export function deliverServices(services: Services): DeliverRoundDependencies {
  const { config, store, rules, clock, random, log, processId, sealing, signEvent, push } = services
  return {
    ...{ store, rules, clock, log, processId, signEvent, issuer: config.publicUrl },
    chance: () => (random(1)[0] ?? 0) / 256,
    async push({ delivery, streamId }, token) {
      if (delivery.method !== PUSH) throw new TypeError('this stream is polled')
      const { url, sealedAuthorization: sealed } = delivery
      const keys = sealing.streamAuthorization
      const authorization = sealed === null ? null : openAuthorization(keys, sealed, streamId)
      if (authorization === undefined) return { kind: 'later', cause: 'its header is not opened' }
      return push({ url, authorization }, token)
    },
  }
}

/** A sealed header that is moved to another stream does not open there. */
function contextOf(streamId: string): string {
  return `authorization of ${streamId}`
}

function openAuthorization(
  keys: PurposeKeys,
  sealed: string,
  streamId: string,
): string | undefined {
  const bytes = fromBase64(sealed)
  if (bytes === undefined) return undefined
  for (const key of keys) {
    const opened = unseal({ key, sealed: bytes, context: contextOf(streamId) })
    if (opened !== undefined) return fromUtf8(opened)
  }
  return undefined
}

/** Until the bell rings, or for a while where nobody rings it. */
function waitForEvents(bell: Bell, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      stop()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, POLL_PAUSE_MS)
    const stop = bell.onRing(done)
    signal.addEventListener('abort', done)
  })
}
