import { describe, expect, test } from 'vitest'
import {
  describeClientState,
  describeDeviceQuery,
  GOOGLE_SCOPE,
  GOOGLE_URL,
  readDevices,
  readDeviceUsers,
  readGoogleFailure,
  readOperation,
} from '../../../src/vendors/google/client-state.ts'
import {
  describeAssertion,
  readServiceAccount,
} from '../../../src/vendors/google/service-account.ts'
import { describeVectors, vectorJson } from '../../support/vectors.ts'

const DEVICE = { deviceId: 'dev_a', compliance: 'compliant' } as const
const TARGET = { kind: 'google', client: '01abc23d-countersign' } as const
const USER = 'devices/d-1/deviceUsers/u_2'

/** The witness is Google's reference of client states, recorded in `google/client-state.json`. */
describeVectors('the state of a device at Google', () => {
  const { request: recorded, enums } = vectorJson('idp/google/client-state.json')

  test('is written as Google documents it', () => {
    const { method, path, body } = describeClientState(USER, TARGET, DEVICE)
    const url = new URL(GOOGLE_URL + path)
    const documented = new URL(
      recorded.url
        .replace('devices/{device}/deviceUsers/{deviceUser}', USER)
        .replace('{customerIdWithoutLeadingC}-{suffix}', TARGET.client),
    )
    expect([method, url.origin, url.pathname]).toEqual([
      ...[recorded.method, documented.origin, documented.pathname],
    ])
    expect(url.searchParams.get('customer')).toBe(documented.searchParams.get('customer'))
    const state = JSON.parse(body ?? '')
    expect(url.searchParams.get('updateMask')).toBe(Object.keys(state).join(','))
    for (const member of Object.keys(state)) expect(recorded.body).toHaveProperty(member)
    expect(GOOGLE_SCOPE).toBe(recorded.scope)
  })

  test('has values that Google knows', () => {
    for (const compliance of ['compliant', 'not-compliant'] as const) {
      const { body } = describeClientState(USER, TARGET, { ...DEVICE, compliance })
      const state = JSON.parse(body ?? '')
      for (const member of ['complianceState', 'managed', 'healthScore']) {
        expect(enums[member]).toContain(state[member])
      }
      expect(state.complianceState === 'COMPLIANT').toBe(compliance === 'compliant')
    }
  })
})

describe('a device', () => {
  const asked = { serial: '5CG1234ABC', owner: 'ann@example.com' }

  test('is asked for by its serial number', () => {
    const query = describeDeviceQuery(asked)
    if (!('path' in query)) expect.unreachable()
    const { searchParams } = new URL(GOOGLE_URL + query.path)
    expect(searchParams.get('filter')).toBe('serial:5CG1234ABC')
  })

  test.each([
    { ...asked, serial: null },
    { ...asked, owner: null },
    { ...asked, serial: 'A OR email:*' },
    { ...asked, serial: '' },
  ])('%j is asked for nowhere', (device) => {
    expect(describeDeviceQuery(device)).toMatchObject({ kind: 'refused', error: 'unmatched' })
  })

  test('is the one that has the number, and not one whose number begins so', () => {
    const one = { name: 'devices/a', serialNumber: '5cg1234abc' }
    const longer = { name: 'devices/b', serialNumber: '5CG1234ABCD' }
    expect(readDevices({ devices: [longer, one] }, asked.serial)).toBe('devices/a')
    for (const body of [
      {},
      { devices: [longer] },
      { devices: [one, { ...one, name: 'devices/c' }] },
    ]) {
      expect(readDevices(body, asked.serial)).toMatchObject({ error: 'unmatched' })
    }
    const elsewhere = { devices: [{ ...one, name: 'devices/../customers/x' }] }
    expect(readDevices(elsewhere, asked.serial)).toMatchObject({ kind: 'later' })
  })

  test('is written for its owner alone', () => {
    const other = { name: 'devices/a/deviceUsers/x', userEmail: 'ben@example.com' }
    const own = { name: USER, userEmail: 'Ann@Example.com' }
    expect(readDeviceUsers({ deviceUsers: [other, own] }, asked.owner)).toBe(USER)
    for (const body of [{}, { deviceUsers: [other] }]) {
      expect(readDeviceUsers(body, asked.owner)).toMatchObject({ error: 'unmatched' })
    }
    const elsewhere = { deviceUsers: [{ ...own, name: 'x/y' }] }
    expect(readDeviceUsers(elsewhere, asked.owner)).toMatchObject({ kind: 'later' })
  })
})

test.each([
  [200, '', undefined],
  [404, 'NOT_FOUND', 'refused'],
  [400, 'INVALID_ARGUMENT', 'refused'],
  [401, 'UNAUTHENTICATED', 'later'],
  [403, 'PERMISSION_DENIED', 'later'],
  [429, 'RESOURCE_EXHAUSTED', 'later'],
  [503, 'UNAVAILABLE', 'later'],
] as const)('an answer %i %s is %s', (status, code, kind) => {
  // google.rpc.Status in JSON: `{"error":{"code","message","status"}}`.
  const body = { error: { code: status, message: 'quotes what was sent', status: code } }
  const outcome = readGoogleFailure({ status, body, retryAfterSeconds: 7 })
  expect(outcome?.kind).toBe(kind)
  expect(JSON.stringify(outcome ?? {})).not.toContain('quotes')
})

test('an operation says for itself what became of it', () => {
  expect(readOperation({ name: 'operations/x', done: true, response: {} }).kind).toBe('delivered')
  const failed = { name: 'operations/x', done: true }
  expect(readOperation({ ...failed, error: { code: 5, message: 'm' } }).kind).toBe('refused')
  expect(readOperation({ ...failed, error: { code: 14, message: 'm' } }).kind).toBe('later')
})

test('a service account is what Google writes into a key file, and its token is asked for where we say', () => {
  const file = {
    ...{
      type: 'service_account',
      client_email: 'a@b.iam.gserviceaccount.com',
      private_key_id: 'k',
    },
    ...{ private_key: '-----BEGIN PRIVATE KEY-----\n', token_uri: 'https://thief.example' },
  }
  const account = readServiceAccount(JSON.stringify(file))
  expect(account).toEqual({ email: file.client_email, privateKey: file.private_key, keyId: 'k' })
  for (const text of ['', 'x', '{}', JSON.stringify({ ...file, type: 'authorized_user' })]) {
    expect(readServiceAccount(text)).toBeUndefined()
  }
  const acting = { administrator: 'admin@example.com', scope: GOOGLE_SCOPE, now: new Date(1e12) }
  expect(describeAssertion({ email: file.client_email }, acting)).toEqual({
    ...{ iss: file.client_email, sub: 'admin@example.com', scope: GOOGLE_SCOPE },
    ...{ aud: 'https://oauth2.googleapis.com/token', iat: 1e9, exp: 1e9 + 300 },
  })
  expect(
    describeAssertion({ email: file.client_email }, { ...acting, administrator: undefined }),
  ).not.toHaveProperty('sub')
})
