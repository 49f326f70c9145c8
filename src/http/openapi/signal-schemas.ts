import { z } from 'zod'
import type { ToldStatus, ToldStream } from '../../operations/signals/manage-streams.ts'
import type { Polled } from '../../operations/signals/poll-stream.ts'
import { EVENT_TYPES } from '../../signals/event-types.ts'
import { pollBody } from '../../signals/poll-request.ts'
import { STREAM_STATUSES } from '../../signals/stream.ts'
import {
  statusBody,
  streamToChangeBody,
  streamToCreateBody,
  verificationBody,
} from '../../signals/stream-request.ts'
import { subjectBody } from '../../signals/subject-request.ts'
import type { describeTransmitter } from '../../signals/transmitter.ts'
import { formOf } from './form-of.ts'

const eventType = z.enum([
  EVENT_TYPES['device-compliance-change'],
  EVENT_TYPES['risk-level-change'],
  EVENT_TYPES['session-revoked'],
])

const stream = formOf<ToldStream>()(
  z.object({
    stream_id: z.string(),
    iss: z.string(),
    aud: z.string(),
    delivery: z.object({ method: z.string(), endpoint_url: z.string() }),
    events_supported: z.array(eventType),
    events_requested: z.array(z.string()),
    events_delivered: z.array(eventType),
    min_verification_interval: z.int(),
    description: z.string().exactOptional(),
  }),
)

/** Of receivers, read by the schemas of `src/signals`; and what they are answered. */
export const SIGNAL_SCHEMAS = {
  StreamToCreate: streamToCreateBody,
  StreamToChange: streamToChangeBody,
  StatusChange: statusBody,
  VerificationRequest: verificationBody,
  SubjectChange: subjectBody,
  PollRequest: pollBody,
  Stream: stream,
  Streams: z.union([stream, z.array(stream)]),
  StreamStatus: formOf<ToldStatus>()(
    z.object({
      stream_id: z.string(),
      status: z.enum(STREAM_STATUSES),
      reason: z.string().exactOptional(),
    }),
  ),
  Polled: formOf<Polled>()(
    z.object({
      sets: z.record(z.string(), z.string().meta({ contentMediaType: 'application/secevent+jwt' })),
      moreAvailable: z.boolean(),
    }),
  ),
  Transmitter: formOf<ReturnType<typeof describeTransmitter>>()(
    z.object({
      spec_version: z.string(),
      issuer: z.string(),
      jwks_uri: z.string(),
      delivery_methods_supported: z.array(z.string()),
      configuration_endpoint: z.string(),
      status_endpoint: z.string(),
      add_subject_endpoint: z.string(),
      remove_subject_endpoint: z.string(),
      verification_endpoint: z.string(),
      authorization_schemes: z.array(z.object({ spec_urn: z.string() })),
      default_subjects: z.string(),
    }),
  ),
} as const satisfies Readonly<Record<string, z.ZodType>>
