import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deliverServices } from '../../../src/compose/signals.ts'
import { deliverRound } from '../../../src/operations/signals/deliver-round.ts'
import { testStream } from '../../../src/operations/signals/test-stream.ts'
import { pushTo } from '../../operations/signals/push-by-fetch.ts'
import { type Receiver, startReceiver } from '../../operations/signals/receiver.ts'
import type { Json } from '../../support/json.ts'
import { createTestService, type TestService, testClock } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { describeVectors, vectorText } from '../../support/vectors.ts'
import { readSuiteModules } from './suite-list.ts'

/*
 * The modules of the OpenID Foundation's conformance suite for SSF transmitters (openid-certification/
 * conformance-suite, `openid/ssf`), each condition a test under the name that it has there. README.md beside this
 * folder says what is left out. The suite itself is a service in Java, which no test starts.
 */

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/'
const VERIFICATION = 'https://schemas.openid.net/secevent/ssf/event-type/verification'
const PUSH = 'urn:ietf:rfc:8935'
const POLL = 'urn:ietf:rfc:8936'
const PUSH_URL = 'https://receiver.example/in'
/** Those that the profile knows and we send. */
const INTEROP = [`${CAEP}session-revoked`, `${CAEP}device-compliance-change`]

const clock = testClock(new Date('2026-03-01T12:00:00Z'))
let database: TestDatabase
let service: TestService
let access: Readonly<Record<string, string>>
let metadata: Json
const closing: (() => void)[] = []

beforeAll(async () => {
  database = await openTestDatabase()
  service = await createTestService({ database, clock })
  access = await service.as('ssf.read', 'ssf.manage')
  metadata = (await call('GET', '/.well-known/ssf-configuration')).json
})
afterAll(async () => {
  for (const close of closing) close()
  await database.close()
})

type Answer = { readonly status: number; readonly json: Json; readonly type: string | null }

const WITHOUT_ACCESS = { authorization: 'Bearer invalid' }

async function call(
  method: string,
  place: string,
  { body, headers = access }: { body?: unknown; headers?: typeof access } = {},
): Promise<Answer> {
  const { pathname, search } = new URL(place, service.url)
  const sent = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body)
  const response = await service.request(pathname + search, {
    ...{ method, body: sent, headers: { ...headers, 'content-type': 'application/json' } },
  })
  const text = await response.text()
  const json: Json = text === '' ? undefined : JSON.parse(text)
  return { status: response.status, json, type: response.headers.get('content-type') }
}

const streamAt = (id: string) => `${metadata.configuration_endpoint}?stream_id=${id}`
const create = (delivery?: object, headers = access) =>
  call('POST', metadata.configuration_endpoint, {
    ...{ body: { ...(delivery && { delivery }), events_requested: INTEROP }, headers },
  })
const end = (id: string) => call('DELETE', streamAt(id))
const poll = (stream: Json, body: object) =>
  call('POST', stream.delivery.endpoint_url, { body: { returnImmediately: true, ...body } })

/** What was tested, by module, for the comparison with the suite's own list. */
const covered = new Map<string, Set<string>>()

/** One condition of a module: `requirement` is the clause that the suite names. */
function condition(module: string, name: string, requirement: string, run: () => unknown) {
  covered.set(module, (covered.get(module) ?? new Set()).add(name))
  test(`${name} ${requirement}`.trim(), async () => {
    await run()
  })
}

/** Conditions on an answer's status and on what it has in common with the metadata. */
function answers(module: string, status: number, requirement: string, of: () => Answer) {
  condition(module, `EnsureHttpStatusCodeIs${status}`, requirement, () =>
    expect(of().status).toBe(status),
  )
}

describe('openid-ssf-transmitter-metadata', () => {
  const name = 'openid-ssf-transmitter-metadata'
  const base = 'AbstractOIDSSFTransmitterTestModule'
  const has = (condition_: string, requirement: string, run: () => unknown) =>
    condition(name, condition_, requirement, run)
  const isUrl = (url: unknown) => expect(String(url)).toMatch(/^https?:\/\//)
  condition(base, 'EnsureHttpStatusCodeIs200', 'OIDSSF-7.2.3', async () => {
    const { status } = await call('GET', '/.well-known/ssf-configuration')
    expect(status).toBe(200)
  })
  condition(base, 'EnsureContentTypeJson', 'OIDSSF-7.2.3', async () => {
    const { type } = await call('GET', '/.well-known/ssf-configuration')
    expect(type).toBe('application/json')
  })
  condition(base, 'OIDSSFEnsureDeliveryMethodIsSupported', '', () => {
    expect(metadata.delivery_methods_supported).toEqual(expect.arrayContaining([PUSH, POLL]))
  })
  has('OIDSSFCheckTransmitterMetadataIssuer', 'OIDSSF-7.2', () =>
    expect(metadata.issuer).toBe(service.url),
  )
  has('OIDSSFEnsureHttpsUrlsTransmitterMetadataCheck', 'CAEPIOP-2.3.7', () => {
    // As PUBLIC_URL says: https but for a service on loopback, as this one is.
    for (const [member, value] of Object.entries(metadata)) {
      if (!/_(?:endpoint|uri)$/.test(member)) continue
      expect(String(value).startsWith(`${service.url}/`)).toBe(true)
    }
  })
  has('OIDSSFRequiredFieldsTransmitterMetadataCheck', 'OIDSSF-7.1', () => isUrl(metadata.issuer))
  has('OIDSSFDefaultSubjectsTransmitterMetadataCheck', 'OIDSSF-7.1', () =>
    expect(['ALL', 'NONE']).toContain(metadata.default_subjects),
  )
  has('OIDSSFCheckSupportedDeliveryMethods', 'OIDSSF-8.1.1', () =>
    expect(metadata.delivery_methods_supported).toEqual([PUSH, POLL]),
  )
  has('OIDSSFSpecVersionTransmitterMetadataCheck', 'CAEPIOP-2.3.1', () =>
    expect(metadata.spec_version).toBe('1_0'),
  )
  has('OIDSSFCheckRequiredFieldJwksUri', 'CAEPIOP-2.3.3', () => isUrl(metadata.jwks_uri))
  has('OIDSSFCheckRequiredFieldConfigurationEndpoint', 'CAEPIOP-2.3.4', () =>
    isUrl(metadata.configuration_endpoint),
  )
  has('OIDSSFCheckRequiredFieldStatusEndpoint', 'CAEPIOP-2.3.5', () =>
    isUrl(metadata.status_endpoint),
  )
  has('OIDSSFCheckRequiredFieldVerificationEndpoint', 'CAEPIOP-2.3.6', () =>
    isUrl(metadata.verification_endpoint),
  )
  has('OIDSSFEnsureNonEmptyArrayClaimsCheck', 'OIDSSF-7.2.3', () => {
    for (const value of Object.values(metadata)) {
      if (Array.isArray(value)) expect(value).not.toEqual([])
    }
  })
  has('OIDSSFCaepInteropAuthorizationSchemesTransmitterMetadataCheck', 'CAEPIOP-2.3.7', () =>
    expect(metadata.authorization_schemes).toContainEqual({ spec_urn: 'urn:ietf:rfc:6749' }),
  )
  const keys = async () => (await call('GET', metadata.jwks_uri)).json
  has('CheckJwksUri', '', async () =>
    expect((await call('GET', metadata.jwks_uri)).status).toBe(200),
  )
  has('FetchServerKeys', '', async () => {
    expect((await keys()).keys.length).toBeGreaterThan(0)
  })
})

describe('openid-ssf-stream-control-happy-path', () => {
  const name = 'openid-ssf-stream-control-happy-path'
  const done: Record<string, Answer> = {}
  const statuses: Answer[] = []
  const of = (step: string): Answer => done[step] ?? { status: 0, json: undefined, type: null }

  beforeAll(async () => {
    done.created = await create()
    const { stream_id } = of('created').json
    done.read = await call('GET', streamAt(stream_id))
    const change = { stream_id, events_requested: [INTEROP[0]] }
    done.updated = await call('PATCH', metadata.configuration_endpoint, { body: change })
    const whole = { ...change, events_requested: INTEROP }
    done.replaced = await call('PUT', metadata.configuration_endpoint, { body: whole })
    done.status = await call('GET', `${metadata.status_endpoint}?stream_id=${stream_id}`)
    for (const status of ['paused', 'disabled', 'enabled']) {
      const body = { stream_id, status, reason: 'a test' }
      statuses.push(await call('POST', metadata.status_endpoint, { body }))
    }
    done.deleted = await end(stream_id)
  })

  answers(name, 201, 'OIDSSF-8.1.1.1', () => of('created'))
  for (const step of ['created', 'read', 'updated', 'replaced']) {
    describe(`the stream that was ${step}`, () => {
      const stream = () => of(step).json
      if (step !== 'created') answers(name, 200, 'OIDSSF-8.1.1', () => of(step))
      condition(name, 'OIDSSFCheckTransmitterMetadataIssuerMatchesIssuerInResponse', '', () =>
        expect(stream().iss).toBe(metadata.issuer),
      )
      condition(name, 'OIDSSFCheckStreamAudience', 'OIDSSF-8.1.1.1', () =>
        expect(stream().aud).toBeTypeOf('string'),
      )
      condition(name, 'OIDSSFCheckStreamDeliveryMethod', 'OIDSSF-8.1.1', () =>
        expect(stream().delivery).toMatchObject({ method: POLL, endpoint_url: expect.any(String) }),
      )
      condition(name, 'OIDSSFStreamRequiredFieldsCheck', 'OIDSSF-8.1.1', () => {
        for (const member of ['stream_id', 'iss', 'aud', 'delivery']) {
          expect(stream()).toHaveProperty(member)
        }
      })
      condition(name, 'OIDSSFStreamOptionalFieldsCheck', 'OIDSSF-8.1.1', () => {
        const { min_verification_interval: interval, events_requested: requested } = stream()
        expect(Number.isInteger(interval)).toBe(true)
        expect(requested.every((uri: unknown) => typeof uri === 'string')).toBe(true)
      })
      condition(name, 'OIDSSFCheckSupportedEventsForStream', 'OIDCAEP-3', () => {
        const { events_supported, events_requested, events_delivered } = stream()
        const wanted = events_requested.filter((uri: string) => events_supported.includes(uri))
        expect(events_delivered.toSorted()).toEqual(wanted.toSorted())
      })
      condition(
        name,
        'OIDSSFEnsureAtLeastOneCaepInteropEventInStreamSupportedEvents',
        'CAEPIOP-3',
        () => expect(stream().events_supported).toEqual(expect.arrayContaining(INTEROP)),
      )
    })
  }
  answers(name, 200, 'OIDSSF-8.1.2.1', () => of('status'))
  condition(name, 'OIDSSFReadStreamConfigCall', '', () => expect(of('read').status).toBe(200))
  condition(name, 'OIDSSFReadStreamStatusCall', '', () => expect(of('status').status).toBe(200))
  condition(name, 'OIDSSFUpdateStreamStatusCall', 'OIDSSF-8.1.2.2', () =>
    expect(statuses.map(({ status }) => status)).toEqual([200, 200, 200]),
  )
  condition(name, 'EnsureResponseIsJsonObject', 'OIDSSF-8.1.2.2', () => {
    for (const { json, type } of statuses) {
      expect(type).toBe('application/json')
      expect(json).toBeTypeOf('object')
    }
  })
  condition(name, 'OIDSSFCheckExpectedJsonResponseContents', 'OIDSSF-8.1.2.2', () =>
    expect(statuses.map(({ json }) => json.status)).toEqual(['paused', 'disabled', 'enabled']),
  )
  condition(name, 'OIDSSFDeleteStreamConfigCall', 'OIDSSF-8.1.1.5', () =>
    expect(of('deleted').json).toBeUndefined(),
  )
  answers(name, 204, 'OIDSSF-8.1.1.5', () => of('deleted'))
})

describe('errors of stream control', () => {
  const BROKEN = ';{ broken'
  const configuration = () => metadata.configuration_endpoint
  const [put, patch] = (['PUT', 'PATCH'] as const).map(
    (method) => (stream_id: string) => (headers: typeof access, body?: string) =>
      call(method, configuration(), { body: body ?? { stream_id }, headers }),
  )
  const read = (id: string) => (headers: typeof access) => call('GET', streamAt(id), { headers })
  const remove = (id: string) => (headers: typeof access) =>
    call('DELETE', streamAt(id), { headers })
  const verbs = { read, delete: remove, replace: put, update: patch }

  for (const [verb, send] of Object.entries(verbs)) {
    for (const [kind, suffix] of [
      ['token', verb === 'delete' || verb === 'read' ? 'stream-with-invalid-token' : ''],
      ['unknown', ''],
      ['body', ''],
    ] as const) {
      if (kind === 'body' && (verb === 'read' || verb === 'delete')) continue
      const name =
        kind === 'unknown'
          ? `openid-ssf-stream-control-error-${verb}-unknown-stream`
          : `openid-ssf-stream-control-error-${verb}-${suffix || `stream-with-invalid-${kind}`}`
      describe(name, () => {
        const status = { token: 401, unknown: 404, body: 400 }[kind]
        let answer: Answer
        beforeAll(async () => {
          const { json } = await create()
          if (kind === 'unknown') await end(json.stream_id)
          const headers = kind === 'token' ? WITHOUT_ACCESS : access
          const sent = send?.(json.stream_id)
          if (sent === undefined) throw new TypeError(verb)
          answer = await (kind === 'body' ? sent(headers, BROKEN) : sent(headers))
          await end(json.stream_id)
        })
        answers(name, status, 'OIDSSF-8.1.1', () => answer)
        if (verb === 'update' && kind === 'token') {
          condition(name, 'EnsureHttpStatusCodeIs400or401', 'OIDSSF-8.1.1.3', () =>
            expect([400, 401]).toContain(answer.status),
          )
        }
        const calls = { read: 'OIDSSFReadStreamConfigCall', delete: 'OIDSSFDeleteStreamConfigCall' }
        if (verb === 'read' || verb === 'delete') {
          condition(name, calls[verb], '', () => expect(answer.status).not.toBe(500))
        }
      })
    }
  }

  describe('openid-ssf-stream-control-error-create-stream-with-broken-input', () => {
    const name = 'openid-ssf-stream-control-error-create-stream-with-broken-input'
    let answer: Answer
    beforeAll(async () => {
      answer = await call('POST', configuration(), { body: BROKEN })
    })
    answers(name, 400, 'OIDSSF-8.1.1.1', () => answer)
  })

  describe('openid-ssf-stream-control-error-create-stream-with-duplicate-config', () => {
    const name = 'openid-ssf-stream-control-error-create-stream-with-duplicate-config'
    const made: Answer[] = []
    beforeAll(async () => {
      for (let turn = 0; turn < 2; turn++) made.push(await create())
      for (const { json } of made) await end(json.stream_id)
    })
    condition(name, 'EnsureHttpStatusCodeIs201', 'OIDSSF-8.1.1.1', () =>
      expect(made[0]?.status).toBe(201),
    )
    condition(name, 'EnsureHttpStatusCodeIsAnyOf', 'OIDSSF-8.1.1.1', () =>
      expect([201, 409]).toContain(made[1]?.status),
    )
  })

  describe('openid-ssf-stream-control-error-create-stream-with-invalid-token', () => {
    const name = 'openid-ssf-stream-control-error-create-stream-with-invalid-token'
    let answer: Answer
    beforeAll(async () => {
      answer = await create(undefined, WITHOUT_ACCESS)
    })
    answers(name, 401, 'OIDSSF-8.1.1.1', () => answer)
  })
})

describe('openid-ssf-stream-subject-control', () => {
  const name = 'openid-ssf-stream-subject-control'
  const done: Answer[] = []
  beforeAll(async () => {
    const created = await create()
    const { stream_id } = created.json
    const body = { stream_id, subject: { format: 'email', email: 'user@example.com' } }
    const added = await call('POST', metadata.add_subject_endpoint, { body })
    const removed = await call('POST', metadata.remove_subject_endpoint, { body })
    done.push(created, added, removed)
    await end(stream_id)
  })
  const at = (index: number): Answer => done[index] ?? { status: 0, json: undefined, type: null }
  answers(name, 201, 'OIDSSF-8.1.1.1', () => at(0))
  condition(name, 'OIDSSFCheckTransmitterMetadataIssuerMatchesIssuerInResponse', '', () =>
    expect(at(0).json.iss).toBe(metadata.issuer),
  )
  condition(name, 'OIDSSFAddSubjectToStreamConfigCall', '', () =>
    expect(at(1).json).toBeUndefined(),
  )
  answers(name, 200, 'OIDSSF-8.1.3.1', () => at(1))
  condition(name, 'OIDSSFRemoveSubjectToStreamConfigCall', '', () =>
    expect(at(2).json).toBeUndefined(),
  )
  answers(name, 204, 'OIDSSF-8.1.3.2', () => at(2))
})

/** What is asked of every security event token. */
function tokenConditions(module: string, stream: () => Json, tokens: () => readonly string[]) {
  const each = (run: (token: string, claims: Json) => unknown) => async () => {
    expect(tokens().length).toBeGreaterThan(0)
    for (const token of tokens()) await run(token, decodeJwt(token))
  }
  condition(
    module,
    'OIDSSFVerifySignatureOfSecurityEventToken',
    '',
    each(async (token) => {
      const keys = createLocalJWKSet((await call('GET', metadata.jwks_uri)).json)
      await jwtVerify(token, keys, { currentDate: clock.now() })
    }),
  )
  condition(
    module,
    'OIDSSFParseSecurityEventToken',
    'OIDSSF-8.1.4.1',
    each((token) => expect(token.split('.')).toHaveLength(3)),
  )
  condition(
    module,
    'OIDSSFEnsureEventSignedWithRsa256',
    'CAEPIOP-2.6',
    each((token) => expect(decodeProtectedHeader(token).alg).toBe('RS256')),
  )
  condition(
    module,
    'OIDSSFEnsureSecurityEventTokenUsesTypeSecEventJwt',
    'OIDSSF-4.1.1',
    each((token) => expect(decodeProtectedHeader(token).typ).toBe('secevent+jwt')),
  )
  condition(
    module,
    'OIDSSFEnsureSecurityEventTokenContainsSingleEvent',
    'CAEPIOP-2.8.1',
    each((_, { events }) => expect(Object.keys(events)).toHaveLength(1)),
  )
  condition(
    module,
    'OIDSSFEnsureSecurityEventTokenDoesNotContainSubClaim',
    'OIDSSF-4.1.2',
    each((_, claims) => expect(claims).not.toHaveProperty('sub')),
  )
  condition(
    module,
    'OIDSSFEnsureSecurityEventTokenDoesNotContainExpClaim',
    'OIDSSF-4.1.7',
    each((_, claims) => expect(claims).not.toHaveProperty('exp')),
  )
  condition(
    module,
    'OIDSSFEnsureSecurityEventTokenIssuerMatchesStreamConfigurationIssuer',
    'OIDSSF-4.1.6',
    each((_, { iss }) => expect(iss).toBe(stream().iss)),
  )
  condition(
    module,
    'OIDSSFEnsureSecurityEventTokenIatIsNotInFuture',
    'RFC8417-2.2',
    each((_, { iat }) => expect(iat * 1000).toBeLessThanOrEqual(clock.now().getTime())),
  )
  condition(
    module,
    'OIDSSFValidateSecurityEventTokenAudClaim',
    'OIDSSF-4.1.8',
    each((_, { aud }) => expect(aud).toBeTypeOf('string')),
  )
  condition(
    module,
    'OIDSSFEnsureEventContainsStreamAudience',
    'RFC7519-4.1.3',
    each((_, { aud }) => expect(aud).toBe(stream().aud)),
  )
}

const VERIFYING = 'AbstractOIDSSFTransmitterStreamVerificationTest'
const STATE = 'c3RhdGUgb2YgdGhlIHN1aXRl'

async function verify(stream: Json, state: string): Promise<Answer> {
  clock.advance(stream.min_verification_interval)
  const body = { stream_id: stream.stream_id, state }
  return call('POST', metadata.verification_endpoint, { body })
}

function verificationConditions(
  module: string,
  stream: () => Json,
  { tokens, states }: { tokens: () => readonly string[]; states: readonly string[] },
) {
  const events = () => tokens().map((token): Json => decodeJwt(token))
  condition(module, 'OIDSSFCheckVerificationEventState', 'OIDSSF-8.1.4.1', () =>
    expect(events().map((one) => one.events[VERIFICATION].state)).toEqual(states),
  )
  condition(module, 'OIDSSFCheckVerificationEventSubjectId', 'OIDSSF-8.1.4.1', () => {
    for (const { sub_id } of events()) {
      expect(sub_id).toEqual({ format: 'opaque', id: stream().stream_id })
    }
  })
}

describe('verification by poll', () => {
  for (const [name, mode] of [
    ['openid-ssf-transmitter-stream-verification-poll-only', 'only'],
    ['openid-ssf-transmitter-stream-verification-ack-only', 'ack'],
    ['openid-ssf-transmitter-stream-verification-poll-and-ack', 'both'],
  ] as const) {
    describe(name, () => {
      let stream: Json
      let triggered: Answer
      let first: Answer
      let second: Answer | undefined
      const tokens = () => Object.values<string>(first.json.sets)
      beforeAll(async () => {
        stream = (await create()).json
        triggered = await verify(stream, STATE)
        first = await poll(stream, {})
        const ack = Object.keys(first.json.sets)
        if (mode === 'ack') second = await poll(stream, { ack, maxEvents: 0 })
        if (mode === 'both') {
          await verify(stream, `${STATE}2`)
          second = await poll(stream, { ack })
        }
      })
      afterAll(() => end(stream.stream_id))

      condition(VERIFYING, 'OIDSSFTriggerVerificationEvent', 'OIDSSF-8.1.4.2', () =>
        expect(triggered.json).toBeUndefined(),
      )
      answers(VERIFYING, 204, 'OIDSSF-8.1.4.2', () => triggered)
      condition(name, 'OIDSSFCallPollEndpoint', 'RFC8936-2.4', () => expect(first.status).toBe(200))
      condition(name, 'OIDSSFExtractReceivedSETs', '', () => expect(tokens()).toHaveLength(1))
      verificationConditions(VERIFYING, () => stream, { tokens, states: [STATE] })
      tokenConditions(VERIFYING, () => stream, tokens)
      test('what was acknowledged comes no more (RFC 8936 §2.4)', async () => {
        const left: string[] = Object.values((await poll(stream, {})).json.sets)
        const states = left
          .map((token): Json => decodeJwt(token).events)
          .map((one) => one[VERIFICATION].state)
        expect(states).toEqual({ only: [STATE], ack: [], both: [`${STATE}2`] }[mode])
        if (mode === 'ack') expect(second?.json.sets).toEqual({})
      })
    })
  }
})

describe('verification by push', () => {
  const AUTHORIZATION = 'Bearer of-the-receiver'
  for (const [name, header] of [
    ['openid-ssf-transmitter-stream-verification-push', AUTHORIZATION],
    ['openid-ssf-transmitter-stream-verification-error-push-no-auth', undefined],
  ] as const) {
    describe(name, () => {
      let stream: Json
      let created: Answer
      let receiver: Receiver
      const tokens = () => receiver.seen.map(({ body }) => body)
      beforeAll(async () => {
        receiver = await startReceiver((close) => closing.push(close))
        const authorization = header && { authorization_header: header }
        created = await create({ method: PUSH, endpoint_url: PUSH_URL, ...authorization })
        stream = created.json
        await verify(stream, STATE)
        await deliver(receiver)
      })
      afterAll(() => end(stream.stream_id))

      answers(VERIFYING, 201, 'OIDSSF-7.1.1.1', () => created)
      condition(VERIFYING, 'OIDSSFCheckTransmitterMetadataIssuerMatchesIssuerInResponse', '', () =>
        expect(stream.iss).toBe(metadata.issuer),
      )
      condition(VERIFYING, 'FetchServerKeys', '', async () => {
        const { keys } = (await call('GET', metadata.jwks_uri)).json
        expect(keys.some(({ alg }: Json) => alg === 'RS256')).toBe(true)
      })
      condition(name, 'OIDSSFExtractVerificationEventFromPushRequest', 'OIDSSF-8.1.4.1', () =>
        expect(tokens()).toHaveLength(1),
      )
      for (const module of [name, VERIFYING]) {
        verificationConditions(module, () => stream, { tokens, states: [STATE] })
      }
      condition(name, 'OIDSSFEnsureUnsolicitedVerificationEventHasNoState', 'OIDSSF-8.1.4.2', () =>
        // None comes that was not asked for.
        expect(tokens()).toHaveLength(1),
      )
      tokenConditions(VERIFYING, () => stream, tokens)
      const sent = () => receiver.seen.map(({ headers }) => headers.authorization)
      if (header === undefined) {
        condition(
          name,
          'OIDSSFEnsureNoAuthorizationHeaderIsPresentInPushRequest',
          'OIDSSF-6.1.1',
          () => expect(sent()).toEqual([undefined]),
        )
      } else {
        condition(VERIFYING, 'OIDSSFCheckVerificationAuthorizationHeader', 'OIDSSF-6.1.1', () =>
          expect(sent()).toEqual([AUTHORIZATION]),
        )
        condition(
          'AbstractOIDSSFTransmitterTestModule',
          'OIDSSFEnsureAuthorizationHeaderIsPresentInPushRequest',
          'OIDSSF-6.1.1',
          () => expect(sent()).toEqual([AUTHORIZATION]),
        )
      }
    })
  }
})

/** Brings what is due to the receiver in place of where it says that it is. */
async function deliver(receiver: Receiver): Promise<void> {
  const dependencies = deliverServices({
    ...service.services,
    push: async ({ authorization }, token) =>
      pushTo(receiver.url, token, authorization === null ? {} : { authorization }),
  })
  await deliverRound(dependencies, new AbortController().signal)
}

describe('openid-ssf-transmitter-stream-caep-interop', () => {
  const name = 'openid-ssf-transmitter-stream-caep-interop'
  for (const method of [PUSH, POLL]) {
    describe(method, () => {
      let stream: Json
      const done: Record<string, Answer> = {}
      const tokens: string[] = []
      const of = (step: string): Answer => done[step] ?? { status: 0, json: undefined, type: null }
      const events = () => tokens.map((token): Json => decodeJwt(token))

      beforeAll(async () => {
        const receiver = await startReceiver((close) => closing.push(close))
        const push = { method: PUSH, endpoint_url: PUSH_URL }
        done.created = await create(method === PUSH ? push : undefined)
        stream = of('created').json
        const { stream_id: streamId } = stream
        done.read = await call('GET', streamAt(streamId))
        done.status = await call('GET', `${metadata.status_endpoint}?stream_id=${streamId}`)
        done.triggered = await verify(stream, STATE)
        // What `streams test` does: the suite asks for one event of each type within a minute.
        await testStream({ store: service.services.store, clock: clock.now }, streamId)
        if (method === PUSH) {
          await deliver(receiver)
          tokens.push(...receiver.seen.map(({ body }) => body))
        } else {
          for (;;) {
            done.polled = await poll(stream, { ack: Object.keys(of('polled').json?.sets ?? {}) })
            const sets = Object.values<string>(of('polled').json.sets)
            if (sets.length === 0) break
            tokens.push(...sets)
          }
        }
        done.deleted = await end(streamId)
      })

      answers(name, 201, 'OIDSSF-8.1.1.1', () => of('created'))
      answers(name, 200, 'OIDSSF-8.1.1.2', () => of('read'))
      answers(name, 204, 'OIDSSF-8.1.4.2', () => of('triggered'))
      condition(name, 'OIDSSFReadStreamConfigCall', '', () =>
        expect(of('read').json).toEqual(stream),
      )
      condition(name, 'OIDSSFReadStreamStatusCall', 'CAEPIOP-2.3.5', () =>
        expect(of('status').json).toEqual({ stream_id: stream.stream_id, status: 'enabled' }),
      )
      condition(name, 'OIDSSFCheckTransmitterMetadataIssuerMatchesIssuerInResponse', '', () =>
        expect(stream.iss).toBe(metadata.issuer),
      )
      condition(name, 'OIDSSFCheckStreamAudience', 'OIDSSF-8.1.1.1', () =>
        expect(stream.aud).toBeTypeOf('string'),
      )
      condition(name, 'OIDSSFCheckStreamDeliveryMethod', 'CAEPIOP-2.3.8.1', () =>
        expect(stream.delivery.method).toBe(method),
      )
      condition(name, 'OIDSSFStreamRequiredFieldsCheck', 'OIDSSF-8.1.1', () => {
        for (const member of ['stream_id', 'iss', 'aud', 'delivery']) {
          expect(stream).toHaveProperty(member)
        }
      })
      condition(name, 'OIDSSFStreamOptionalFieldsCheck', 'OIDSSF-8.1.1', () =>
        expect(Number.isInteger(stream.min_verification_interval)).toBe(true),
      )
      condition(name, 'OIDSSFCheckSupportedEventsForStream', 'OIDCAEP-3', () =>
        expect(stream.events_delivered.toSorted()).toEqual(INTEROP.toSorted()),
      )
      condition(
        name,
        'OIDSSFEnsureAtLeastOneCaepInteropEventInStreamSupportedEvents',
        'CAEPIOP-3',
        () => expect(stream.events_supported).toEqual(expect.arrayContaining(INTEROP)),
      )
      condition(name, 'OIDSSFTriggerVerificationEvent', 'OIDSSF-8.1.4.2', () =>
        expect(of('triggered').json).toBeUndefined(),
      )
      condition(name, 'OIDSSFDeleteStreamConfigCall', 'OIDSSF-8.1.1.5', () =>
        expect(of('deleted').status).toBe(204),
      )
      condition(name, 'FetchServerKeys', '', async () =>
        expect((await call('GET', metadata.jwks_uri)).status).toBe(200),
      )
      tokenConditions(
        name,
        () => stream,
        () => tokens,
      )
      const verifications = () =>
        tokens.filter((_, index) => VERIFICATION in (events()[index]?.events ?? {}))
      verificationConditions(name, () => stream, { tokens: verifications, states: [STATE] })
      condition(name, 'OIDSSFExtractVerificationEventFromPushRequest', 'OIDSSF-8.1.4.1', () =>
        expect(verifications()).toHaveLength(1),
      )
      condition(name, 'OIDSSFEnsureUnsolicitedVerificationEventHasNoState', 'OIDSSF-8.1.4.2', () =>
        expect(verifications()).toHaveLength(1),
      )
      condition(name, 'OIDSSFEnsureAllCaepInteropEventsReceived', 'CAEPIOP-3', () => {
        const received = events().flatMap((one) => Object.keys(one.events))
        expect(received).toEqual(expect.arrayContaining(stream.events_delivered))
      })
      const caep = () =>
        events()
          .flatMap((one) => Object.entries<Json>(one.events))
          .filter(([type]) => type !== VERIFICATION)
      condition(name, 'OIDSSFExtractCaepEventData', 'OIDCAEP-3', () =>
        expect(
          caep()
            .map(([type]) => type)
            .toSorted(),
        ).toEqual(INTEROP.toSorted()),
      )
      condition(name, 'OIDSSFValidateCaepCommonOptionalFields', 'OIDCAEP-2', () => {
        for (const [, event] of caep()) {
          expect(Number.isInteger(event.event_timestamp)).toBe(true)
          expect(['admin', 'user', 'policy', 'system']).toContain(event.initiating_entity)
          for (const reason of [event.reason_admin, event.reason_user]) {
            expect(reason.en).toBeTypeOf('string')
          }
        }
      })
      condition(name, 'OIDSSFValidateCaepDeviceComplianceChangeEvent', 'OIDCAEP-3.5', () => {
        const [event] = caep().flatMap(([type, one]) => (type === INTEROP[1] ? [one] : []))
        expect(event).toMatchObject({
          previous_status: 'compliant',
          current_status: 'not-compliant',
        })
      })
      if (method === POLL) {
        condition(name, 'OIDSSFCallPollEndpoint', 'RFC8936-2.4', () =>
          expect(of('polled').status).toBe(200),
        )
        condition(name, 'OIDSSFExtractReceivedSETs', '', () => expect(tokens.length).toBe(3))
        answers(name, 200, 'RFC8936-2.5', () => of('polled'))
      }
    })
  }
})

/** Conditions of the suite that nothing here shows, each with why. */
const NOT_COVERED: Readonly<Record<string, string>> = {
  OIDSSFValidateCaepCredentialChangeEvent: 'this event is not sent',
  OIDSSFWarnNonStandardCaepCredentialChangeValues: 'this event is not sent',
  OIDSSFConfigurePushDeliveryMethod: 'a setting of the suite',
  OIDSSFGetDynamicTransmitterConfiguration: 'the suite finds the transmitter',
  OIDSSFGetStaticTransmitterConfiguration: 'the suite is told the transmitter',
  OIDSSFExtractTransmitterAccessTokenFromConfig: 'a setting of the suite',
  GetDynamicServerConfiguration: 'of OAuth: test/http/oauth',
  GetStaticServerConfiguration: 'a setting of the suite',
  GetStaticClientConfiguration: 'a setting of the suite',
  CreateTokenEndpointRequestForClientCredentialsGrant: 'of OAuth: test/http/oauth',
  AddScopeToTokenEndpointRequest: 'of OAuth: test/http/oauth',
  AddBasicAuthClientSecretToRequest: 'of OAuth: test/http/oauth',
  AddFormBasedClientSecretToRequest: 'the secret in the form is not accepted: Basic or a key',
  ExtractJWKSDirectFromClientConfiguration: 'a setting of the suite',
  AddClientIdToRequest: 'of OAuth: test/http/oauth',
  CallTokenEndpointAndReturnFullResponse: 'of OAuth: test/http/oauth',
  CheckTokenEndpointHttpStatus200: 'of OAuth: test/http/oauth',
  CheckIfTokenEndpointResponseError: 'of OAuth: test/http/oauth',
  CheckForAccessTokenValue: 'of OAuth: test/http/oauth',
  ExtractAccessTokenFromTokenResponse: 'of OAuth: test/http/oauth',
  ExtractExpiresInFromTokenEndpointResponse: 'of OAuth: test/http/oauth',
  OIDSSFEnsureShortLivedToken: 'of OAuth: test/http/oauth',
}

/** Witness: the list of conditions, extracted from the suite's sources. */
describeVectors('the list of the conformance suite', () => {
  const modules = readSuiteModules(vectorText('ssf/oidf-transmitter-checklist.md'))

  test.each(modules)(
    'every condition of $name is tested here, or said not to be',
    ({ name, conditions }) => {
      const known = covered.get(name) ?? new Set()
      expect(conditions.filter((one) => !known.has(one) && !(one in NOT_COVERED))).toEqual([])
    },
  )

  test('nothing is said not to be tested that the suite does not know, or that is', () => {
    const all = new Set(modules.flatMap(({ conditions }) => conditions))
    expect(Object.keys(NOT_COVERED).filter((one) => !all.has(one))).toEqual([])
    const tested = new Set([...covered.values()].flatMap((names) => [...names]))
    expect(Object.keys(NOT_COVERED).filter((one) => tested.has(one))).toEqual([])
  })
})
