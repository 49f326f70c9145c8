import { afterAll, beforeAll, expect, test } from 'vitest'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { StoreError } from '../../../src/store/store-error.ts'
import { EXTENSIONS_CALLER } from '../../../src/vendors/entra/caller.ts'
import { bodyOf as bodyOfPolicy } from '../../operations/release/documents.ts'
import type { Json } from '../../support/json.ts'
import { putInForce } from '../../support/put-in-force.ts'
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
 * The witness of the shapes is Microsoft's reference (`custom-claims-provider-reference`), recorded in
 * `entra/token-issuance-start.json`: its request goes in as it stands there, and answers are held against its
 * response and limits. Tokens are made by jose. No tenant of Entra was asked.
 */
describeVectors('the token-issuance extension of Entra', () => {
  const recorded = vectorJson('idp/entra/token-issuance-start.json')
  const TENANT: string = recorded.request.body.data.tenantId
  const APP = '50000000-0000-0000-0000-000000000005'
  const KEYS = `https://login.microsoftonline.com/${TENANT}/discovery/v2.0/keys`
  const PATH = '/vendors/entra/token-issuance-start'
  let world: VendorWorld
  beforeAll(async () => {
    world = await openVendorWorld({ ENTRA_TENANT_ID: TENANT, ENTRA_APP_ID: APP }, KEYS)
  })
  afterAll(() => world?.close())

  const claimsOf = (changed: object = {}) => ({
    aud: APP,
    iss: `https://login.microsoftonline.com/${TENANT}/v2.0`,
    iat: world.now(),
    nbf: world.now(),
    exp: world.now() + 3600,
    azp: recorded.caller_token.v2.azp,
    tid: TENANT,
    ver: '2.0',
    ...changed,
  })
  const bodyOf = (user: object = {}) => {
    const body = structuredClone(recorded.request.body)
    Object.assign(body.data.authenticationContext.user, user)
    return body
  }
  const send = (token: string, body: unknown = bodyOf(), service = world.service) =>
    service.post(PATH, body, { headers: { authorization: `Bearer ${token}` } })
  const ask = async (user: object, changed: object = {}): Promise<Json> =>
    readOk(await send(await signAs(world.key, claimsOf(changed)), bodyOf(user)))
  const claimsIn = ({ data }: Json): Json => data.actions[0].claims

  test('tells in claims that the user has a device that may', async () => {
    const deviceId = await world.own('bob@example.com')
    const answer = await ask({})
    expect(claimsIn(answer)).toEqual({ device_compliance: 'compliant', device_id: deviceId })
    // The same form as the recorded response, but for the claims, whose names are ours to choose.
    const expected = structuredClone(recorded.response.body)
    expected.data.actions[0].claims = claimsIn(answer)
    expect(answer).toEqual(expected)
  })

  test('reads store and rules in one statement', async () => {
    await ask({})
    world.service.calls.length = 0
    await ask({})
    expect(world.service.calls).toEqual(['findTrustRecords'])
  })

  test('is granted by the one device that may, whichever letters the owner is written in', async () => {
    const name = 'Zoë@Example.com'
    const bad = await world.own(name, BAD)
    const denied = claimsIn(await ask({ userPrincipalName: name }))
    expect(denied.device_compliance).toBe('not-compliant')
    expect(denied.device_id).toBe(bad)
    expect(denied.device_reasons).toEqual(['secure_boot_on'])
    const good = await world.own('zoë@example.COM')
    expect(claimsIn(await ask({ userPrincipalName: name }))).toEqual({
      device_compliance: 'compliant',
      device_id: good,
    })
  })

  test('finds devices by the object id of the user, and never by the mail that somebody wrote', async () => {
    const id = 'a0847c2a-e29d-4d2f-9f54-c5b4d3f26471'
    await world.own(id)
    const other = { userPrincipalName: 'carol@example.com', mail: 'bob@example.com' }
    expect(claimsIn(await ask({ ...other, id })).device_compliance).toBe('compliant')
    const nobody = claimsIn(await ask(other))
    expect(nobody).toEqual({
      device_compliance: 'not-compliant',
      device_reasons: ['device_not_named'],
    })
  })

  test('is answered without a device where the policy demands none for the question', async () => {
    const document = bodyOfPolicy('policy', {
      ...BASELINE_POLICY,
      ...{ name: 'Named apps', device: 'resource.id != "free"' },
    })
    const { store, policy } = world.fleet
    const names = { author: 'test', reason: 'test', now: world.service.clock.now() }
    const putPolicy = ({ body, ...rest }: typeof document) =>
      putInForce(store, { ...rest, body: body as Json, ...names })
    const asked = { resourceServicePrincipal: { appId: 'free' } }
    const body = bodyOf({ userPrincipalName: 'nobody@example.com' })
    Object.assign(body.data.authenticationContext, asked)
    await putPolicy(document)
    const token = await signAs(world.key, claimsOf())
    // Its clauses are all about devices, so that none holds: it is asked all the same, and by no device.
    const told = claimsIn(await readOk(await send(token, body)))
    expect(told.device_reasons).not.toContain('device_not_named')
    const demanded = claimsIn(await ask({ userPrincipalName: 'nobody@example.com' }))
    expect(demanded.device_reasons).toEqual(['device_not_named'])
    await putPolicy(policy)
  })

  test('believes no owner of more devices than a person has', async () => {
    for (let n = 0; n < 33; n++) await world.own('kiosk@example.com')
    expect(claimsIn(await ask({ userPrincipalName: 'kiosk@example.com' }))).toEqual({
      device_compliance: 'not-compliant',
      device_reasons: ['device_not_named'],
    })
  })

  test('keeps claims to texts and lists of texts, far below the 3 KB that Entra takes', async () => {
    const claims = claimsIn(await ask({ userPrincipalName: 'nobody@example.com' }))
    for (const value of Object.values(claims)) {
      const isTexts = Array.isArray(value) && value.every((one) => typeof one === 'string')
      expect(typeof value === 'string' || isTexts).toBe(true)
    }
    expect(JSON.stringify(claims).length).toBeLessThan(recorded.limits.claims_bytes_max / 2)
  })

  test('takes tokens of version 1 as well', async () => {
    const changed = {
      ...{ ver: '1.0', iss: `https://sts.windows.net/${TENANT}/`, azp: undefined },
      ...{ appid: recorded.caller_token.v1.appid, aud: `api://localhost:8080/${APP}` },
    }
    expect(claimsIn(await ask({}, changed)).device_compliance).toBe('compliant')
  })

  test('the caller is the one that the recorded documentation names', () => {
    expect(EXTENSIONS_CALLER).toBe(recorded.caller_token.v2.azp)
  })

  const OTHER = '60000000-0000-0000-0000-000000000006'
  test.each([
    [
      'of another tenant',
      { iss: `https://login.microsoftonline.com/${OTHER}/v2.0`, tid: OTHER },
      'vendor_token_issuer_mismatch',
    ],
    ['of another tenant under the issuer of ours', { tid: OTHER }, 'entra_tenant_mismatch'],
    ['that another application of the tenant got', { azp: OTHER }, 'entra_caller_mismatch'],
    [
      'of version 2 that says in the word of version 1 who calls',
      { azp: OTHER, appid: EXTENSIONS_CALLER },
      'entra_caller_mismatch',
    ],
    ['for another application', { aud: OTHER }, 'vendor_token_audience_mismatch'],
    [
      'for Microsoft Graph',
      { aud: '00000003-0000-0000-c000-000000000000' },
      'vendor_token_audience_mismatch',
    ],
    ['that has expired', { exp: 1 }, 'vendor_token_expired'],
    ['that is of tomorrow', { nbf: 4e9 }, 'vendor_token_not_yet_valid'],
    [
      'without the time at which it was issued',
      { iat: undefined },
      'vendor_token_claims_malformed',
    ],
    ['without an end', { exp: undefined }, 'vendor_token_claims_malformed'],
  ] as const)('refuses a token %s', async (_, changed, reason) => {
    const answer = await send(await signAs(world.key, claimsOf(changed)))
    expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
    await expectProblem(answer, 401, reason)
    noteReason(reason)
  })

  test('refuses what is not signed, or not by Entra', async () => {
    const good = await signAs(world.key, claimsOf())
    const refused = async (answer: Response, reason: string) => {
      await expectProblem(answer, 401, reason)
      noteReason(reason)
    }
    await refused(await send(unsigned(good)), 'vendor_token_algorithm_refused')
    const secret = Buffer.from(JSON.stringify(world.key.jwk)).toString('base64url')
    const symmetric = good.replace(
      /^[^.]+/,
      Buffer.from(`{"alg":"HS256","k":"${secret}"}`).toString('base64url'),
    )
    await refused(await send(symmetric), 'vendor_token_algorithm_refused')
    const thief = await makeProviderKey('provider-1')
    await refused(await send(await signAs(thief, claimsOf())), 'vendor_token_signature_invalid')
    const carried = { jwk: thief.jwk, jku: 'https://thief.example/keys' }
    await refused(
      await send(await signAs(thief, claimsOf(), carried)),
      'vendor_token_signature_invalid',
    )
    const unknown = await makeProviderKey('provider-2')
    await refused(await send(await signAs(unknown, claimsOf())), 'vendor_token_key_unknown')
    const typed = await signAs(world.key, claimsOf(), { typ: 'dpop+jwt' })
    await refused(await send(typed), 'vendor_token_type_refused')
    await refused(await send('a.b'), 'vendor_token_malformed')
    await refused(await world.service.post(PATH, bodyOf()), 'vendor_token_missing')
    const basic = await world.service.as('access.evaluate')
    await refused(
      await world.service.post(PATH, bodyOf(), { headers: basic }),
      'vendor_token_missing',
    )
    // Nothing was fetched from anywhere but the tenant of the configuration.
    expect(new Set(world.asked)).toEqual(new Set([KEYS]))
  })

  test('refuses a body that is another one, and reads none of a stranger', async () => {
    const token = await signAs(world.key, claimsOf())
    const foreign = bodyOf()
    foreign.data.tenantId = OTHER
    const unnamed = bodyOf()
    delete unnamed.data.authenticationContext.user.userPrincipalName
    const other = {
      ...bodyOf(),
      type: 'microsoft.graph.authenticationEvent.attributeCollectionStart',
    }
    for (const [body, detail] of [
      [foreign, 'data.tenantId'],
      [unnamed, 'data.authenticationContext.user.userPrincipalName'],
      [other, 'type'],
      [[], ''],
    ] as const) {
      const problem = await expectProblem(await send(token, body), 400, 'vendor_request_malformed')
      expect(problem.detail).toBe(detail)
      noteReason('vendor_request_malformed')
    }
    const huge = { ...bodyOf(), padding: 'x'.repeat(200_000) }
    await expectProblem(await send(token, huge), 413, 'body_too_large')
    await expectProblem(await send('a.b.c', huge), 401, 'vendor_token_malformed')
  })

  test('is closed while it cannot answer: 503, and no claims', async () => {
    const away = await world.withStore((store) => ({
      ...store,
      findTrustRecords: async () =>
        Promise.reject(new StoreError(Object.assign(new Error('gone'), { code: 'ECONNREFUSED' }))),
    }))
    const token = await signAs(world.key, claimsOf())
    const answer = await send(token, bodyOf(), away)
    await expectProblem(answer, 503, 'unavailable')
    world.published.delete(KEYS)
    const fresh = await world.withStore((store) => store)
    const unknown = await send(token, bodyOf(), fresh)
    expect(Number(unknown.headers.get('retry-after'))).toBeGreaterThan(0)
    await expectProblem(unknown, 503, 'unavailable')
  })

  test('is not there unless it is configured', async () => {
    const answer = await world.fleet.service.post(PATH, bodyOf())
    await expectProblem(answer, 404, 'not_found')
  })
})
