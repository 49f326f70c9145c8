import { expect, test } from 'vitest'
import {
  EXTENSION_ATTRIBUTES,
  nameOfTarget,
  targetOfName,
} from '../../../src/signals/state-target.ts'
import {
  describeDeviceUpdate,
  readGraphAnswer,
} from '../../../src/vendors/entra/device-attribute.ts'
import { describeVectors, vectorJson } from '../../support/vectors.ts'

const ENTRA_ID = '6b0c0a7e-5b2f-4f0e-9a67-0d2ae9f7f7f1'
const DEVICE = { entraDeviceId: ENTRA_ID, compliance: 'compliant' } as const

/** The witness is Microsoft's reference of *Update device*, recorded in `entra/graph-device.json`. */
describeVectors('the state of a device in Entra', () => {
  const { extensionAttributes: recorded, ca_filter: filter } = vectorJson(
    'idp/entra/graph-device.json',
  )

  test('is written as Microsoft documents it', () => {
    const update = describeDeviceUpdate(DEVICE, 'extensionAttribute1')
    if (!('path' in update)) expect.unreachable()
    const url = `https://graph.microsoft.com${update.path}`
    expect(url).toBe(recorded.request.alt_url.replace('{deviceId}', ENTRA_ID))
    const body = JSON.parse(update.body ?? '')
    expect(Object.keys(body)).toEqual(Object.keys(recorded.request.body))
    expect(Object.keys(body.extensionAttributes)).toEqual(
      Object.keys(recorded.request.body.extensionAttributes),
    )
    expect(readGraphAnswer({ status: recorded.response.status, ...NOTHING })).toEqual({
      kind: 'delivered',
    })
  })

  test('is a whole value, which a filter with a negative operator can compare', () => {
    expect(filter.rule).toMatch(/^device\.extensionAttribute1 -ne "\w+"$/)
    for (const compliance of ['compliant', 'not-compliant'] as const) {
      const update = describeDeviceUpdate({ ...DEVICE, compliance }, 'extensionAttribute15')
      expect('body' in update && JSON.parse(update.body ?? '')).toEqual({
        extensionAttributes: { extensionAttribute15: compliance },
      })
    }
  })
})

const NOTHING = { body: undefined, retryAfterSeconds: undefined }

test.each([
  null,
  '',
  'not one',
  `${ENTRA_ID}')/registeredOwners`,
  `${ENTRA_ID}\n`,
  `../users/${ENTRA_ID}`,
])('a device whose name in Entra is %j is written nowhere', (entraDeviceId) => {
  const update = describeDeviceUpdate({ ...DEVICE, entraDeviceId }, 'extensionAttribute1')
  expect(update).toMatchObject({ kind: 'refused', error: 'unmatched' })
})

/** No answer of Graph: what it answers is recorded above, 204 or an error with its code. */
test('ATTACK: a page of somebody between us and Graph leaves no device unmatched, and none written', () => {
  for (const status of [200, 202, 400, 404]) {
    for (const body of [undefined, {}, [], { error: 'not found' }, { error: { code: '<html>' } }]) {
      const outcome = readGraphAnswer({ status, body, retryAfterSeconds: undefined })
      expect(outcome).toEqual({ kind: 'later', cause: String(status), retryAfterMs: undefined })
    }
  }
})

test.each([
  [404, 'Request_ResourceNotFound', 'refused'],
  [400, 'Request_BadRequest', 'refused'],
  [401, 'InvalidAuthenticationToken', 'later'],
  [403, 'Authorization_RequestDenied', 'later'],
  [429, 'TooManyRequests', 'later'],
  [503, 'serviceNotAvailable', 'later'],
  [302, '', 'later'],
] as const)('an answer %i %s is %s', (status, code, kind) => {
  // Graph, Error responses: `{"error":{"code","message"}}`.
  const body = { error: { code, message: 'quotes what was sent' } }
  const outcome = readGraphAnswer({ status, body, retryAfterSeconds: 7 })
  expect(outcome.kind).toBe(kind)
  expect(JSON.stringify(outcome)).not.toContain('quotes')
  if (outcome.kind === 'later') expect(outcome.retryAfterMs).toBe(7000)
})

test('a target is read from the name of its stream, and from no other name', () => {
  for (const attribute of EXTENSION_ATTRIBUTES) {
    const target = { kind: 'entra', attribute } as const
    expect(targetOfName(nameOfTarget(target))).toEqual(target)
  }
  const google = { kind: 'google', client: '01abc23d-countersign' } as const
  expect(targetOfName(nameOfTarget(google))).toEqual(google)
  for (const name of [
    'cli_a',
    'receiver/okta/acme.okta.com',
    'state/entra/extensionAttribute16',
    'state/entra',
    'state/google/C01abc23d',
    'state/google/01abc23d-countersign/clientStates',
    'entra:state/entra/extensionAttribute1',
  ]) {
    expect(targetOfName(name)).toBeUndefined()
  }
})
