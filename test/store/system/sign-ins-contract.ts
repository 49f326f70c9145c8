import { expect, test } from 'vitest'
import type { SignInRequest } from '../../../src/vendors/oidc/authentication-request.ts'
import { at, type StoreUnderTest } from '../fixtures.ts'

let signIns = 0

export function signInsContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  const begin = async (expiresAt = at(300)) => {
    signIns += 1
    const name = { signInId: `sign-in ${signIns} of ${process.pid}`, expiresAt }
    const request: SignInRequest = {
      redirectUri: 'https://idp.example/',
      responseMode: 'form_post',
      responseType: 'id_token',
      state: 's',
      nonce: 'n',
      codeChallenge: null,
      acr: null,
      person: null,
    }
    await store().beginSignIn({ ...name, clientId: 'client', request, browserHash: 'hash' })
    return { name, request }
  }

  test('is found by its id and its time together, with what was asked', async () => {
    const { name, request } = await begin()
    expect(await store().findSignIn(name)).toEqual({
      ...{ ...name, clientId: 'client', request, browserHash: 'hash' },
      ...{ provenAt: null, endedAt: null },
    })
    expect(await store().findSignIn({ ...name, expiresAt: at(301) })).toBeNull()
    expect(await store().findSignIn({ ...name, signInId: 'none' })).toBeNull()
  })

  test('of any number of ends at once exactly one is the first, and no proof comes later', async () => {
    const { name } = await begin()
    expect(await store().noteProvenDevice({ ...name, at: at(1) })).toBe(true)
    expect(await store().noteProvenDevice({ ...name, at: at(2) })).toBe(true)
    const ends = await Promise.all(
      Array.from({ length: 16 }, () => store().endSignIn({ ...name, at: at(3) })),
    )
    expect(ends.filter((isFirst) => isFirst)).toHaveLength(1)
    expect(await store().noteProvenDevice({ ...name, at: at(4) })).toBe(false)
    expect(await store().findSignIn(name)).toMatchObject({ provenAt: at(2), endedAt: at(3) })
  })

  test('goes when its partition does', async () => {
    const now = new Date('2037-01-10T12:00:00Z')
    const keep = (before: Date) => store().keepPartitions({ table: 'sign_in', before, now })
    await keep(new Date(0))
    const { name } = await begin(new Date('2037-01-10T14:59:59Z'))
    const next = await begin(new Date('2037-01-10T15:00:00Z'))
    expect((await keep(new Date('2037-01-10T15:00:00Z'))).dropped).toBe('sign_in_2037011012')
    expect(await store().findSignIn(name)).toBeNull()
    expect(await store().findSignIn(next.name)).not.toBeNull()
  })
}
