import { afterAll, beforeAll, expect, test } from 'vitest'
import { StoreError } from '../../../src/store/store-error.ts'
import type { Json } from '../../support/json.ts'
import { noteReason } from '../../support/refusal.ts'
import { basic, expectProblem, readOk, type TestService } from '../../support/service.ts'
import { describeVectors, vectorJson } from '../../support/vectors.ts'
import { addClient, askForToken } from '../oauth/world.ts'
import { BAD, openVendorWorld, type VendorWorld } from './world.ts'

/**
 * The witness of the shapes is Okta's own OpenAPI document, recorded in `okta/token-hook-webhook.json`: its
 * example goes in as it stands there, and answers are held against its schema and its examples. No
 * organisation at Okta was asked.
 */
describeVectors('the token inline hook of Okta', () => {
  const recorded = vectorJson('idp/okta/token-hook-webhook.json')
  const responses = vectorJson('idp/okta/token-hook-response.json')
  const ORGANISATION = 'https://acme.okta.com'
  const PATH = '/vendors/okta/token-hook'
  let world: VendorWorld
  let refusing: TestService
  beforeAll(async () => {
    world = await openVendorWorld({ OKTA_ORGANISATION: ORGANISATION }, 'https://none.example')
    refusing = await world.open({ OKTA_ORGANISATION: ORGANISATION, OKTA_DENIAL: 'refuse' })
  })
  afterAll(() => world?.close())

  const example = (): Json => {
    const text = JSON.stringify(recorded.examples.TokenPayLoadExample.value)
    return JSON.parse(text.replaceAll('{yourOktaDomain}', 'acme.okta.com'))
  }
  const bodyOf = (login: string, change: (data: Json) => void = () => undefined): Json => {
    const body = example()
    body.data.context.user.profile.login = login
    change(body.data)
    return body
  }
  const send = async (body: unknown, service: TestService = world.service) =>
    service.post(PATH, body, { headers: await service.as('access.evaluate') })
  const claimsIn = ({ commands }: Json, type: string): Json =>
    Object.fromEntries(
      commands
        .filter((command: Json) => command.type === type)
        .flatMap(({ value }: Json) => value)
        .map(({ path, value }: Json) => [path, value]),
    )
  const ACCESS = 'com.okta.access.patch'
  const IDENTITY = 'com.okta.identity.patch'

  test('adds a claim to each token that is being made, and to no other', async () => {
    const deviceId = await world.own('ann@example.com')
    const answer = await readOk(await send(bodyOf('ann@example.com')))
    const told = {
      '/claims/device_posture': 'compliant',
      '/claims/device_posture_device': deviceId,
    }
    expect(claimsIn(answer, ACCESS)).toEqual(told)
    expect(claimsIn(answer, IDENTITY)).toEqual(told)
    const [command] = responses.allow_with_claim.commands
    expect(answer.commands[1].value[0]).toEqual(command.value[0])
    const identityAlone = bodyOf('ann@example.com', (data) => delete data.access)
    const { commands } = await readOk(await send(identityAlone))
    expect(commands.map(({ type }: Json) => type)).toEqual([IDENTITY])
  })

  test('says of a user whose devices may not, or who has none, that it does not comply', async () => {
    await world.own('ben@example.com', BAD)
    const denied = claimsIn(await readOk(await send(bodyOf('ben@example.com'))), ACCESS)
    expect(denied['/claims/device_posture']).toBe('not-compliant')
    expect(denied['/claims/device_posture_reasons']).toEqual(['secure_boot_on'])
    const none = claimsIn(await readOk(await send(bodyOf('nobody@example.com'))), ACCESS)
    expect(none).toEqual({
      '/claims/device_posture': 'not-compliant',
      '/claims/device_posture_reasons': ['device_not_named'],
    })
  })

  test('has no token made where the configuration says so', async () => {
    const answer = await readOk(await send(bodyOf('nobody@example.com'), refusing))
    expect(Object.keys(answer)).toEqual(Object.keys(responses.deny))
    expect(Object.keys(answer.error)).toEqual(Object.keys(responses.deny.error))
    const granted = await readOk(await send(bodyOf('ann@example.com'), refusing))
    expect(claimsIn(granted, ACCESS)['/claims/device_posture']).toBe('compliant')
  })

  test('asks about a program as the client that it is', async () => {
    const body = bodyOf('ann@example.com', (data) => {
      delete data.context.user
      delete data.context.session
      delete data.identity
      data.context.protocol.request.grant_type = 'client_credentials'
    })
    const told = claimsIn(await readOk(await send(body)), ACCESS)
    expect(told['/claims/device_posture']).toBe('not-compliant')
  })

  test('takes names that Okta has not reserved', () => {
    // standards of Okta: one command with such a name has it drop all of them.
    const reserved = ['device_compliance', 'device_id', 'device_managed', 'device_trust', 'cnf']
    expect(reserved).not.toContain('device_posture')
  })

  test('lets Okta prove itself by a header or by an access token of ours', async () => {
    const body = bodyOf('ann@example.com')
    const clientId = await addClient(world.service, { scopes: ['access.evaluate'] })
    const header = { authorization: basic(clientId, 'right') }
    expect((await world.service.post(PATH, body, { headers: header })).status).toBe(200)
    const { access_token: token } = await readOk(await askForToken(world.service, clientId))
    const bearer = { authorization: `Bearer ${token}` }
    expect((await world.service.post(PATH, body, { headers: bearer })).status).toBe(200)
  })

  test('refuses whoever is no client, or one without the scope', async () => {
    const body = bodyOf('ann@example.com')
    await expectProblem(await world.service.post(PATH, body), 401, 'unauthenticated')
    const clientId = await addClient(world.service, { scopes: ['access.evaluate'] })
    for (const secret of ['', 'wrong', 'righ', 'right ', 'r'.repeat(5000)]) {
      const headers = { authorization: basic(clientId, secret) }
      await expectProblem(await world.service.post(PATH, body, { headers }), 401, 'unauthenticated')
    }
    const reader = { headers: await world.service.as('admin.read') }
    await expectProblem(await world.service.post(PATH, body, reader), 403, 'forbidden')
  })

  test('has no token made by a hook that cannot be answered: Okta issues one for all but 200', async () => {
    const failing = await world.withStore((store) => ({
      ...store,
      findTrustRecords: async () =>
        Promise.reject(new StoreError(Object.assign(new Error('gone'), { code: 'ECONNREFUSED' }))),
    }))
    const expectNone = async (answer: Response, text: string) => {
      const told = await readOk(answer)
      expect(Object.keys(told)).toEqual(['error'])
      expect(told.error.errorSummary).toContain(text)
    }
    await expectNone(await send(bodyOf('ann@example.com'), failing), 'cannot answer at the moment')
    const foreign = bodyOf('ann@example.com', ({ context }) => {
      context.protocol.issuer.uri = 'https://evil.example/oauth2/default'
    })
    await expectNone(await send(foreign), 'okta_organisation_mismatch')
    noteReason('okta_organisation_mismatch')
    await expectNone(
      await send({ ...example(), eventType: 'com.okta.saml' }),
      'vendor_request_malformed',
    )
    await expectNone(await send({ ...example(), padding: 'x'.repeat(200_000) }), 'body_too_large')
    await expectNone(await send([]), 'vendor_request_malformed')
  })

  /** Okta, *Inline hooks*: "the hook times out after three seconds". The time is real, as Okta's is. */
  test('ATTACK: has no token made while the database hangs: Okta issues one when it has waited', async () => {
    const held: (() => void)[] = []
    const hang = () => new Promise<never>((_, reject) => held.push(() => reject(new Error('over'))))
    const body = bodyOf('ann@example.com')
    for (const method of ['findTrustRecords', 'findClient'] as const) {
      const hanging = await world.withStore((store) => ({ ...store, [method]: hang }))
      const headers = { authorization: basic(`cli_${method}`, 'right') }
      const answer =
        method === 'findClient'
          ? await hanging.post(PATH, body, { headers })
          : await send(body, hanging)
      const told = await readOk(answer)
      expect(Object.keys(told)).toEqual(['error'])
    }
    expect(held).toHaveLength(2)
    for (const end of held) end()
  })

  test('reads store and rules in one statement', async () => {
    await send(bodyOf('ann@example.com'))
    world.service.calls.length = 0
    await send(bodyOf('ann@example.com'))
    expect(world.service.calls).toEqual(['findTrustRecords'])
  })

  test('is not there unless it is configured', async () => {
    const { service } = world.fleet
    await expectProblem(await send(bodyOf('ann@example.com'), service), 404, 'not_found')
  })
})
