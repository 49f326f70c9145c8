import { createAzureCredential } from '../azure/credential.ts'
import type { SignalServices } from '../http/signals/routes.ts'
import { openHeader, resealHeader, sealHeader } from '../keys/stream-header.ts'
import { openWebhookSecrets, resealWebhookSecrets } from '../keys/webhook-secrets.ts'
import type { DeliverRoundDependencies } from '../operations/signals/deliver-round.ts'
import { deliverWebhook, type WebhookDelivery } from '../operations/signals/deliver-webhook.ts'
import { createPollPlaces } from '../operations/signals/poll-places.ts'
import type { ResealDependencies } from '../operations/signals/reseal-headers.ts'
import { newStreamId } from '../operations/signals/stream-id.ts'
import { waitForEvents } from '../operations/signals/wait-for-events.ts'
import type { AskJsonDependencies } from '../operations/vendors/ask-json.ts'
import { createGoogleCredential } from '../operations/vendors/google-credential.ts'
import {
  createDeviceStateWriter,
  type WriteDeviceState,
} from '../operations/vendors/write-device-state.ts'
import { PUSH } from '../signals/stream.ts'
import { pollUrlOf } from '../signals/transmitter.ts'
import type { Services } from './services.ts'
import { traceDeliveries } from './tracing.ts'

/** What the routes of receivers work with. */
export function signalServices(services: Services): SignalServices {
  const { config, store, rules, clock, random, sealing, signEvent, makeEventKey } = services
  const issuer = config.publicUrl
  return {
    ...services,
    streams: {
      ...{ store, issuer, clock, makeEventKey },
      sealAuthorization: (header, streamId) => sealHeader(sealing.streamHeader, header, streamId),
      pollUrlOf: (streamId) => pollUrlOf(issuer, streamId),
      newStreamId: () => newStreamId(random),
    },
    polls: {
      ...{ store, rules, issuer, signEvent, clock },
      waitForEvents: (signal) => waitForEvents(services.bell, signal),
      places: createPollPlaces(),
    },
  }
}

/** What whoever delivers works with. */
export function deliverServices(services: Services): DeliverRoundDependencies {
  const { config, store, rules, clock, random, log, processId, sealing, signEvent, push } = services
  const sending: Pick<DeliverRoundDependencies, 'push' | 'postAlarm' | 'writeState'> = {
    writeState: writeStateOf(services),
    postAlarm: (target, due) => deliverWebhook(webhookDelivery(services), target, due),
    async push({ delivery, streamId }, token) {
      if (delivery.method !== PUSH) throw new TypeError('this stream is polled')
      const { url, sealedAuthorization: sealed } = delivery
      const authorization =
        sealed === null ? null : openHeader(sealing.streamHeader, sealed, streamId)
      if (authorization === undefined) return { kind: 'later', cause: 'its header is not opened' }
      return push({ url, authorization }, token)
    },
  }
  return {
    ...{ store, rules, clock, log, processId, signEvent, issuer: config.publicUrl },
    ...traceDeliveries(sending, services.tracing),
    chance: () => (random(1)[0] ?? 0) / 256,
  }
}

function webhookDelivery({ post, sealing, config, clock }: Services): WebhookDelivery {
  return {
    ...{ post, clock, issuer: config.publicUrl },
    openSecrets: (sealed, id) => openWebhookSecrets(sealing.webhook, sealed, id),
  }
}

/** One for each configuration, so that its token is kept from round to round. */
const writers = new WeakMap<Services['config'], WriteDeviceState>()

function writeStateOf({ config, clock }: Services): WriteDeviceState {
  const known = writers.get(config)
  if (known !== undefined) return known
  const { credential, graphUrl, timeoutMs } = config.azure
  const asking: AskJsonDependencies = {
    ...{ timeoutMs, clock, fetch: (...request) => fetch(...request) },
  }
  const { google } = config.vendors
  const made = createDeviceStateWriter({
    ...asking,
    entra: { graphUrl, credential: createAzureCredential(credential, { clock }) },
    google: google && { credential: createGoogleCredential(asking, google) },
  })
  writers.set(config, made)
  return made
}

/** What seals anew works with. */
export function resealServices({ store, clock, sealing }: Services): ResealDependencies {
  const { streamHeader, webhook } = sealing
  return {
    ...{ store, clock },
    resealHeader: (sealed, id) => resealHeader(streamHeader, sealed, id),
    resealSecrets: (sealed, id) => resealWebhookSecrets(webhook, sealed, id),
  }
}
