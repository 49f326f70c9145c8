import { expect, test } from 'vitest'
import { deviceOfRequest, deviceTokenOf } from '../../src/access/device-of-request.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

const device = (properties = {}) => ({ type: 'device', id: 'dev_a', properties })
const user = (properties = {}) => ({ type: 'user', id: 'alice', properties })

test('a subject of type device is the device', () => {
  expect(expectOk(deviceOfRequest({ subject: device() }))).toBe('dev_a')
  expect(expectOk(deviceOfRequest({ subject: device({ device_id: 'dev_a' }) }))).toBe('dev_a')
})

test('another subject names its device by id or by token', () => {
  expect(expectOk(deviceOfRequest({ subject: user({ device_id: 'dev_b' }) }))).toBe('dev_b')
  expect(expectOk(deviceOfRequest({ subject: user(), tokenDeviceId: 'dev_c' }))).toBe('dev_c')
  const subject = user({ device_id: 'dev_c' })
  expect(expectOk(deviceOfRequest({ subject, tokenDeviceId: 'dev_c' }))).toBe('dev_c')
})

test('no device is named by anything else', () => {
  for (const properties of [{}, { device_id: 7 }, { device_id: '' }, { device_id: null }]) {
    expectRefusal(deviceOfRequest({ subject: user(properties) }), 'device_not_named')
  }
  const inherited = Object.create({ device_id: 'dev_b' })
  expectRefusal(deviceOfRequest({ subject: user(inherited) }), 'device_not_named')
})

test('claiming a good device beside the own one is refused', () => {
  expectRefusal(
    deviceOfRequest({ subject: device({ device_id: 'dev_b' }) }),
    'device_names_conflict',
  )
  expectRefusal(
    deviceOfRequest({ subject: device(), tokenDeviceId: 'dev_b' }),
    'device_names_conflict',
  )
  const subject = user({ device_id: 'dev_b' })
  expectRefusal(deviceOfRequest({ subject, tokenDeviceId: 'dev_c' }), 'device_names_conflict')
})

test('a refused token is not made good by an id beside it', () => {
  const subject = user({ device_id: 'dev_b', device_token: 'x' })
  expectRefusal(deviceOfRequest({ subject, tokenDeviceId: null }), 'device_token_refused')
})

test('a token is handed out for verification, and what cannot be one is not', () => {
  expect(deviceTokenOf(user({ device_token: 'a.b.c' }))).toBe('a.b.c')
  expect(deviceTokenOf(user())).toBeUndefined()
  expect(deviceTokenOf(user({ device_token: 7 }))).toBeNull()
  expect(deviceTokenOf(user({ device_token: 'a'.repeat(5_000) }))).toBeNull()
})
