import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { importTpmKey, type TpmKeyFailure } from '../../../src/evidence/tpm/key.ts'
import { activationBody, enrolmentBody } from '../../../src/http/agent/enrolments.ts'
import { describeApi } from '../../../src/http/openapi/document.ts'
import { parseForm } from '../../../src/http/read-json.ts'
import { publicJwk } from '../../../src/simulator/attestation-request.ts'
import { independentKeys } from '../../../src/simulator/key-source.ts'
import { startVirtualDevice, type VirtualDevice } from '../../../src/simulator/virtual-device.ts'
import { readAttestRequest } from '../../../src/verifier/protocol/attest-request.ts'
import { MESSAGE_REASONS } from '../../../src/verifier/protocol/message-reader.ts'
import { readAgentMessage } from '../../../src/verifier/protocol/protocol.ts'
import { JWK_REASONS } from '../../../src/verifier/protocol/public-jwk.ts'
import { readRequestJws } from '../../../src/verifier/protocol/request-jws.ts'
import { REQUEST_KEY_REASONS } from '../../../src/verifier/protocol/request-keys.ts'
import { readAgentVectors } from '../../support/agent-vectors.ts'
import { validatorOf } from '../../support/api-messages.ts'
import { inspectRequest } from '../../support/inspect-request.ts'
import { makeRequest, type Payload, payloadOf, type Version } from '../harness.ts'

/*
 * Ajv reads the published schemas, and the verifier reads messages: each is the other's witness. What one
 * takes in form the other must take.
 */

const challenge = { challenge: randomBytes(16), serviceContext: 'Y3R4' }
let device: VirtualDevice

beforeAll(async () => {
  device = await startVirtualDevice({ name: 'schemas', keys: independentKeys() })
})

const SHAPE: ReadonlySet<string> = new Set([
  ...MESSAGE_REASONS,
  ...JWK_REASONS,
  ...REQUEST_KEY_REASONS,
])
/** What is wrong with the form of a key, and JSON Schema can say. */
const KEY_SHAPE: ReadonlySet<string> = new Set(['n', 'e', 'x', 'y', 'crv', 'kty'])
const isKeyShape = ({ reason, detail }: TpmKeyFailure) =>
  reason !== 'tpm_key_weak' && KEY_SHAPE.has(detail)

/** How a verifier reads it: taken, refused for its form, or refused for what it says. */
async function readAsVerifier(version: Version, payload: Payload) {
  const text = JSON.stringify(payload)
  const unsigned = { compact: '', signature: new Uint8Array() }
  const read = readAttestRequest({ version, payload: text, ...unsigned })
  if (!read.ok) return SHAPE.has(read.failure.reason) ? 'form' : 'meaning'
  const { current, beforeHibernation, requestKey, otherKeys } = inspectRequest(read.value)
  const keys = [requestKey.jwk, ...otherKeys.map(({ jwk }) => jwk)]
  for (const boot of [current, beforeHibernation]) {
    if (boot?.aik.publicKey !== undefined) keys.push(boot.aik.publicKey)
  }
  const imported = await Promise.all(keys.map((key) => importTpmKey(key)))
  if (imported.some((key) => !key.ok && isKeyShape(key.failure))) return 'form'
  const isNamed = [current, beforeHibernation].every(
    (boot) => boot === undefined || boot.aik.publicKey !== undefined || boot.aik.certificate,
  )
  if (!isNamed) return 'form'
  return imported.every(({ ok }) => ok) ? 'taken' : 'meaning'
}

const ODD = [null, true, 1, -1, 1.5, 'x', 'xx', '', 'xx==', '+/xx', 'sha-1', [], ['x'], {}, [{}]]

/** Every value in it with another in its place, or gone. */
function* changesOf(payload: Payload): Generator<readonly [string, Payload]> {
  for (const path of pathsIn(payload)) {
    for (const value of [undefined, ...ODD]) {
      const changed = structuredClone(payload)
      const holder = path.slice(0, -1).reduce((at: Payload, name) => at[name], changed)
      const last = path.at(-1) ?? ''
      if (value === undefined && Array.isArray(holder)) holder.splice(Number(last), 1)
      else if (value === undefined) delete holder[last]
      else holder[last] = value
      yield [`${path.join('.')} = ${JSON.stringify(value)}`, changed]
    }
  }
}

/** Members that a JWK may have besides, in any form; and pairs of which one needs the other. */
function* additionsTo(version: Version, payload: Payload): Generator<readonly [string, Payload]> {
  for (const path of pathsIn(payload).filter((one) => one.at(-1) === 'kty')) {
    for (const name of ['crv', 'x', 'y', 'n', 'e', 'd', 'k', 'alg']) {
      for (const value of [...ODD, 'AQAB', 'AAEAAQ', 'AQA', 'x'.repeat(1025)]) {
        const changed = structuredClone(payload)
        const jwk = path.slice(0, -1).reduce((at: Payload, part) => at[part], changed)
        jwk[name] = value
        yield [`${path.slice(0, -1).join('.')}.${name} = ${JSON.stringify(value)}`, changed]
      }
    }
  }
  for (const named of ['aik_pub', 'aik_cert', '']) {
    const changed = structuredClone(payload)
    const { tpm_att_data } = changed.att_data.report_signed ?? changed.att_data
    const holder = version === 1 ? tpm_att_data : tpm_att_data.current_attestation
    for (const name of ['aik_pub', 'aik_cert']) if (name !== named) delete holder[name]
    yield [`no name of the key but ${named}`, changed]
  }
  for (const [change, point] of pointsOf(POINT)) {
    const changed = structuredClone(payload)
    const { tpm_att_data } = changed.att_data.report_signed ?? changed.att_data
    const holder = version === 1 ? tpm_att_data : tpm_att_data.current_attestation
    holder.aik_pub = point
    yield [`aik_pub is a point, ${change}`, changed]
  }
  if (version === 2) return
  for (const [one, other] of SUBSETS) {
    for (const nothing of [undefined, '']) {
      const changed = structuredClone(payload)
      const { tpm_att_data } = changed.att_data.report_signed ?? changed.att_data
      Object.assign(tpm_att_data, { [one]: 'AAAA', [other]: nothing })
      if (nothing === undefined) delete tpm_att_data[other]
      yield [`${one} without ${other}`, changed]
    }
  }
}

const POINT = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })

/** A point, and the same with each of its members in other forms. */
function* pointsOf(point: JsonWebKey): Generator<readonly [string, Payload]> {
  yield ['as it is', point]
  for (const name of ['crv', 'x', 'y', 'n', 'e'] as const) {
    const padded = Buffer.concat([Buffer.alloc(1), Buffer.from(point.x ?? '', 'base64url')])
    for (const value of [undefined, ...ODD, 'P-384', 'P-521', padded.toString('base64url')]) {
      yield [`${name} = ${JSON.stringify(value)}`, { ...point, [name]: value }]
    }
  }
}

const SUBSETS = [
  ['srtm_resume_log', 'boot_claim'],
  ['drtm_resume_log', 'srtm_resume_log'],
] as const

function pathsIn(value: Payload, path: readonly string[] = []): (readonly string[])[] {
  const own = path.length === 0 ? [] : [path]
  if (typeof value !== 'object' || value === null) return own
  const inner = Object.entries(value).flatMap(([name, one]) => pathsIn(one, [...path, name]))
  return [...own, ...inner]
}

/** A request with every member that there is, and short values where their length does not matter. */
async function makeFullPayload(
  version: Version,
  options: { readonly withoutEnclave: boolean; readonly binding: 'quote' | 'certify' },
): Promise<Payload> {
  const payload = payloadOf(await makeRequest(device, challenge, { version, ...options }))
  const data = options.withoutEnclave ? payload.att_data : payload.att_data.report_signed
  data.custom_claims = [{ name: 'x', value: 'y', value_type: 'String' }]
  const tpm = data.tpm_att_data
  if (version === 1) {
    tpm.srtm_boot_log = 'AAAA'
    Object.assign(tpm, { drtm_boot_log: 'AAAA', aik_cert: 'AAAA', aik_cert_chain: ['AAAA'] })
    tpm.boot_claim = tpm.current_claim
    return payload
  }
  const current = tpm.current_attestation
  Object.assign(current, { aik_cert: 'AAAA', aik_cert_chain: ['AAAA'] })
  current.logs = ['TCG', 'IMA'].map((type) => ({ type, log: 'AAAA' }))
  // Of two values one could be changed into the other: JSON Schema does not say that indexes differ.
  current.pcrs[0].values.length = 1
  tpm.boot_attestation = structuredClone(current)
  const certified = { public: 'AAAA', certification: 'AAAA', signature: 'AAAA' }
  data.other_keys = [{ jwk: publicJwk(device.requestKey), info: { tpm_certify: certified } }]
  return payload
}

describe.each([
  [1, 'basic', 'quote'],
  [1, 'vbs', 'quote'],
  [2, 'basic', 'certify'],
  [2, 'vbs', 'quote'],
] as const)('the schema of version %d %s by %s', (version, type, binding) => {
  const validate = validatorOf(`RequestPayloadV${version}`)

  test('takes and refuses in form what the verifier does, whatever is changed', async () => {
    const payload = await makeFullPayload(version, { withoutEnclave: type === 'basic', binding })
    expect(validate(payload)).toBe(true)
    expect(await readAsVerifier(version, payload)).toBe('taken')
    const differing: string[] = []
    const counts = { taken: 0, form: 0, meaning: 0 }
    const changes = [...changesOf(payload), ...additionsTo(version, payload)]
    for (const [change, changed] of changes) {
      const outcome = await readAsVerifier(version, changed)
      counts[outcome] += 1
      const isValid = validate(changed)
      const differs = outcome === 'taken' ? !isValid : outcome === 'form' && isValid
      if (differs) differing.push(`${change}: the verifier says ${outcome}`)
    }
    expect(differing).toEqual([])
    expect(counts.taken).toBeGreaterThan(20)
    expect(counts.form).toBeGreaterThan(250)
  })
})

describe('the whole request of version 1 in docs/agent-protocol.md', () => {
  const page = readFileSync('docs/agent-protocol.md', 'utf8')
  const [, shown = ''] = /```json\n(\{\n {2}"att_type": "vbs"[\s\S]*?)\n```/.exec(page) ?? []
  const withKeys = shown.replaceAll(/("n": ")<[^>]*>/g, `$1${'x'.repeat(342)}`)
  const payload: Payload = JSON.parse(withKeys.replaceAll(/<[^>]*>/g, 'AAAA'))
  const validate = validatorOf('RequestPayloadV1')

  test('is of the form that the schema and the verifier take', async () => {
    expect(validate(payload)).toBe(true)
    expect(await readAsVerifier(1, payload)).toBe('meaning')
  })

  test('has no member that may be left out but the nonce', () => {
    const optional = pathsIn(payload).filter((path) => {
      const changed = structuredClone(payload)
      const holder = path.slice(0, -1).reduce((at: Payload, name) => at[name], changed)
      delete holder[path.at(-1) ?? '']
      return validate(changed)
    })
    expect(optional.map((path) => path.at(-1))).toEqual(['rp_data'])
  })
})

describe.each([
  ['EnrolmentRequest', enrolmentBody],
  ['ActivationRequest', activationBody],
] as const)('the schema %s', (name, form) => {
  const file = readAgentVectors().get('runs/enrolment.json') ?? '{}'
  const { exchanges } = JSON.parse(file)
  const step = name === 'EnrolmentRequest' ? 'enrolment' : 'activation'
  const { request } = exchanges.find((one: Payload) => one.step === step)
  const good: Payload = { chain: ['AAAA'], ek_public: 'AAAA', ...JSON.parse(request.body) }

  test('takes what the service takes, and nothing else', () => {
    const validate = validatorOf(name)
    expect(validate(good)).toBe(true)
    const long = 'A'.repeat(12_001)
    const changes = [...changesOf(good)]
    for (const path of pathsIn(good)) {
      const changed = structuredClone(good)
      const holder = path.slice(0, -1).reduce((at: Payload, part) => at[part], changed)
      holder[path.at(-1) ?? ''] = long
      changes.push([`${path.join('.')} = too long`, changed])
    }
    changes.push(['seven in chain', { ...good, chain: Array(7).fill('AAAA') }])
    const differing = changes.filter(
      ([, one]) => parseForm<unknown>(form, one).ok !== validate(one),
    )
    expect(differing.map(([change]) => change)).toEqual([])
    expect(changes.length).toBeGreaterThan(30)
  })
})

test('no schema has a member for what must not be there', () => {
  // A list that is always empty says so of its items.
  const schemas = JSON.stringify(describeApi().components).replaceAll('"items":{"not":{}}', '')
  for (const nothing of ['{"not":{}', '"const":""}', '"const":"",']) {
    const properties = schemas.replaceAll(/\{"not":\{"const":""\}\}/g, '')
    expect(properties).not.toContain(nothing)
  }
})

test.each<[string, Payload]>([
  ['a challenge asked for', { payload: { type: 'aikcert' } }],
  ['with what Azure’s clients add', { payload: { type: 'aikcert' }, metadata: { os_ver: '10' } }],
  ['a request', { payload: { request: 'a.b.c' } }],
  ['both', { payload: { type: 'aikcert', request: 'a.b.c' } }],
  ['neither', { payload: {} }],
  ['nothing', {}],
  ['another type', { payload: { type: 'aik' } }],
  ['metadata that is none', { payload: { type: 'aikcert' }, metadata: 1 }],
  ['a request that is none', { payload: { request: 1 } }],
])('the schema of the message agrees with the verifier: %s', (_, message) => {
  const data = Buffer.from(JSON.stringify(message)).toString('base64url')
  const { ok } = readAgentMessage(JSON.stringify({ data }))
  expect(validatorOf('AgentMessage')(message)).toBe(ok)
})

test.each<[string, Payload]>([
  ['of version 1', { alg: 'PS256', typ: 'attReq' }],
  ['of version 2', { alg: 'PS256', typ: 'attReqV2', kid: 'x' }],
  ['with another algorithm', { alg: 'RS256', typ: 'attReqV2' }],
  ['of another type', { alg: 'PS256', typ: 'JWT' }],
  ['of no type', { alg: 'PS256' }],
  ['with an extension', { alg: 'PS256', typ: 'attReq', crit: ['exp'] }],
])('the schema of the header agrees with the verifier: %s', (_, header) => {
  const head = Buffer.from(JSON.stringify(header)).toString('base64url')
  expect(validatorOf('RequestHeader')(header)).toBe(readRequestJws(`${head}.e30.AAAA`).ok)
})
