import { createLocalJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Json } from '../../support/json.ts'
import { noteReason } from '../../support/refusal.ts'
import { expectProblem, readOk } from '../../support/service.ts'
import { describeVectors, vectorJson } from '../../support/vectors.ts'
import {
  BAD,
  makeProviderKey,
  openVendorWorld,
  signAs,
  unsigned,
  type VendorWorld,
} from './world.ts'

/**
 * The witness of the shapes is Cloudflare's documentation and its example worker, recorded in
 * `cloudflare/*.json`. Tokens are made and read by jose. No organisation at Cloudflare was asked.
 */
describeVectors('Cloudflare Access', () => {
  const recorded = vectorJson('idp/cloudflare/external-evaluation.json')
  const posture = vectorJson('idp/cloudflare/custom-device-posture.json')
  const TEAM = 'acme'
  const KEYS = `https://${TEAM}.cloudflareaccess.com/cdn-cgi/access/certs`
  const AUDIENCE = 'ab'.repeat(32)
  const EVALUATION = '/vendors/cloudflare/evaluation'
  const POSTURE = '/vendors/cloudflare/posture'
  let world: VendorWorld
  beforeAll(async () => {
    const env = { CLOUDFLARE_TEAM: TEAM, CLOUDFLARE_POSTURE_AUDIENCE: AUDIENCE }
    world = await openVendorWorld(env, KEYS)
  })
  afterAll(() => world?.close())

  let nonces = 0
  const claimsOf = (changed: object = {}, identity: object = {}) => {
    nonces += 1
    const { payload } = recorded.request_token
    const times = { iat: world.now(), exp: world.now() + 60 }
    return {
      ...{ ...payload, ...times, nonce: `nonce ${nonces}` },
      identity: { ...payload.identity, ...identity },
      ...changed,
    }
  }
  const send = (token: string, service = world.service) => service.post(EVALUATION, { token })
  const refused = async (answer: Response, reason: string, status = 401) => {
    await expectProblem(answer, status, reason)
    noteReason(reason)
  }
  const successOf = async (identity: object): Promise<boolean> => {
    const { token } = await readOk(await send(await signAs(world.key, claimsOf({}, identity))))
    const keys = await readOk(await world.service.request('/vendors/cloudflare/keys'))
    const { payload } = await jwtVerify(token, createLocalJWKSet(keys), {
      currentDate: world.service.clock.now(),
    })
    return payload.success === true
  }

  test('is answered by a token that the keys at our URL verify, for its nonce', async () => {
    const name = 'jane@example.com'
    expect(await successOf({ email: name })).toBe(false)
    await world.own(name, BAD)
    expect(await successOf({ email: name })).toBe(false)
    await world.own(name)
    expect(await successOf({ email: name })).toBe(true)
    const claims = claimsOf()
    const { token } = await readOk(await send(await signAs(world.key, claims)))
    const keys = await readOk(await world.service.request('/vendors/cloudflare/keys'))
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(keys), {
      ...{ currentDate: world.service.clock.now(), algorithms: ['RS256'] },
    })
    expect(Object.keys(payload).sort()).toEqual(Object.keys(recorded.response_token.payload).sort())
    expect(payload.nonce).toBe(claims.nonce)
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60)
    expect(protectedHeader.alg).toBe(recorded.response_token.header.alg)
    const [published = {}] = keys.keys
    expect(Object.keys(published).sort()).toEqual(
      Object.keys(recorded.keys_url.body.keys[0]).sort(),
    )
    // No key for anything else is there, and this one is not among those for other things.
    const others = await readOk(await world.service.request('/.well-known/jwks.json'))
    const kids = others.keys.map(({ kid }: Json) => kid)
    expect(keys.keys).toHaveLength(1)
    expect(kids).not.toContain(keys.keys[0].kid)
  })

  test('has each nonce answered once, by whichever process', async () => {
    const other = await world.withStore((store) => store)
    const token = await signAs(world.key, claimsOf())
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) => send(token, n % 2 ? other : world.service)),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    await refused(await send(token), 'cloudflare_nonce_replayed', 409)
  })

  test('is refused where the team did not ask', async () => {
    const good = await signAs(world.key, claimsOf())
    await refused(await send(unsigned(good)), 'vendor_token_algorithm_refused')
    const thief = await makeProviderKey('provider-1')
    await refused(await send(await signAs(thief, claimsOf())), 'vendor_token_signature_invalid')
    const old = claimsOf({ iat: world.now() - 600, exp: world.now() - 61 })
    await refused(await send(await signAs(world.key, old)), 'vendor_token_expired')
    const long = claimsOf({ exp: world.now() + 3600 })
    const tooLong = await send(await signAs(world.key, long))
    await refused(tooLong, 'cloudflare_evaluation_lifetime_too_long', 400)
    for (const changed of [{ nonce: undefined }, { nonce: '' }, { identity: undefined }]) {
      const answer = await send(await signAs(world.key, claimsOf(changed)))
      await refused(answer, 'vendor_request_malformed', 400)
    }
    const nameless = await send(await signAs(world.key, claimsOf({}, { email: '' })))
    await refused(nameless, 'vendor_request_malformed', 400)
    // What Access signs for applications names a person, and asks nothing.
    const assertion = { iss: `https://${TEAM}.cloudflareaccess.com`, aud: [AUDIENCE], email: 'j@x' }
    const times = { iat: world.now(), exp: world.now() + 60 }
    const other = await send(await signAs(world.key, { ...assertion, ...times }))
    await refused(other, 'vendor_request_malformed', 400)
    await refused(await world.service.post(EVALUATION, {}), 'vendor_token_missing')
    const huge = await world.service.post(EVALUATION, { token: 'x'.repeat(200_000) })
    await expectProblem(huge, 413, 'body_too_large')
    await refused(await send('x'.repeat(40_000)), 'vendor_token_malformed')
    expect(new Set(world.asked)).toEqual(new Set([KEYS]))
  })

  const assertionOf = (changed: object = {}) => ({
    ...{ iss: `https://${TEAM}.cloudflareaccess.com`, aud: [AUDIENCE], type: 'app', sub: '' },
    ...{ common_name: 'e367826f93b8d71185e03fe518aff3b4.access', iat: world.now() },
    ...{ exp: world.now() + 60, ...changed },
  })
  const score = async (devices: unknown, changed: object = {}) => {
    const assertion = await signAs(world.key, assertionOf(changed))
    const headers = { 'cf-access-jwt-assertion': assertion }
    return world.service.post(POSTURE, { devices }, { headers })
  }

  test('scores devices by the serial numbers that they are known by', async () => {
    const [device] = posture.request.body.devices
    const named = (device_id: string, changed: object) => ({ ...device, device_id, ...changed })
    const good = await world.own('ann@example.com', { serial: '5cg1234abc' })
    const bad = await world.own('ben@example.com', { ...BAD, serial: 'BAD1' })
    await world.own('cay@example.com', { serial: 'Default string' })
    await world.own('cay@example.com', { serial: 'DEFAULT string' })
    const answer = await readOk(
      await score([
        named('a', { email: 'Ann@example.com' }),
        named('b', { email: 'ben@example.com', serial_number: 'bad1' }),
        named('c', { email: 'cay@example.com', serial_number: 'Default string' }),
        named('d', { email: 'dan@example.com', serial_number: '5CG1234ABC' }),
        named('e', { email: 'eve@example.com', serial_number: 'none of ours' }),
        named('f', { email: 'eve@example.com', serial_number: '' }),
      ]),
    )
    const unknown = { s2s_id: 'unknown', score: 0 }
    expect(answer).toEqual({
      result: {
        ...{ a: { s2s_id: good, score: 100 }, b: { s2s_id: bad, score: 0 } },
        // A number of several devices, one of somebody else's, one of none, and none.
        ...{ c: unknown, d: unknown, e: unknown, f: unknown },
      },
    })
    const [recordedScore] = Object.values(posture.response.body.result) as Json[]
    expect(Object.keys(answer.result.a).sort()).toEqual(Object.keys(recordedScore).sort())
  })

  test('scores a thousand devices from one statement, whatever numbers many of ours have', async () => {
    for (let n = 0; n < 5; n++) await world.own(`many ${n}`, { serial: 'To be filled by O.E.M.' })
    const one = await world.own('flo@example.com', { serial: 'FLO-1' })
    const devices = [
      { device_id: 'oem', email: 'many 1', serial_number: 'To be filled by O.E.M.' },
      { device_id: 'flo', email: 'flo@example.com', serial_number: 'flo-1' },
    ]
    // Five for two numbers at once are more than were asked for, which a second statement sorts out.
    expect((await readOk(await score(devices))).result.flo).toEqual({ s2s_id: one, score: 100 })
    const many = Array.from({ length: 1000 }, (_, n) => ({
      ...{ device_id: `device ${n}`, email: 'flo@example.com', serial_number: `FLO-${n}` },
    }))
    world.service.calls.length = 0
    const { result } = await readOk(await score(many))
    expect(world.service.calls).toEqual(['findTrustRecords'])
    expect(Object.keys(result)).toHaveLength(posture.request.max_devices)
    expect(result['device 1']).toEqual({ s2s_id: one, score: 100 })
    const over = await score([...many, ...many.slice(0, 1)])
    await refused(over, 'vendor_request_malformed', 400)
  })

  test('asks about devices only through the application that stands before us', async () => {
    for (const [changed, reason] of [
      [{ aud: ['cd'.repeat(32)] }, 'vendor_token_audience_mismatch'],
      [{ aud: undefined }, 'vendor_token_claims_malformed'],
      [{ iss: 'https://other.cloudflareaccess.com' }, 'vendor_token_issuer_mismatch'],
      [{ exp: world.now() - 61 }, 'vendor_token_expired'],
    ] as const) {
      await refused(await score([], changed), reason)
    }
    const person = { common_name: undefined, email: 'jane@example.com' }
    await refused(await score([], person), 'cloudflare_assertion_of_person', 403)
    const both = { email: 'jane@example.com' }
    await refused(await score([], both), 'cloudflare_assertion_of_person', 403)
    await refused(await world.service.post(POSTURE, { devices: [] }), 'vendor_token_missing')
    // The token of an evaluation is for no application.
    const evaluation = await signAs(world.key, claimsOf())
    const headers = { 'cf-access-jwt-assertion': evaluation }
    const answer = await world.service.post(POSTURE, { devices: [] }, { headers })
    expect(answer.status).toBe(401)
  })

  test('is not there unless it is configured', async () => {
    const { service } = world.fleet
    for (const path of [EVALUATION, POSTURE]) {
      await expectProblem(await service.post(path, {}), 404, 'not_found')
    }
  })
})
