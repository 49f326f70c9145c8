import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import type { Environment } from '../../../src/config/config.ts'
import { createPublishedKeySets } from '../../../src/keysets/key-sets.ts'
import type { Store } from '../../../src/store/store.ts'
import {
  type DeviceChanges,
  openSmallFleet,
  type SmallFleet,
} from '../../operations/release/small-fleet.ts'
import { HEALTHY } from '../../policy/healthy-device.ts'
import type { Json } from '../../support/json.ts'
import { createTestService, type TestService } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

/**
 * The service, and a provider whose keys jose made and signs with. That the provider's own key set is at this
 * address, and looks like this, is its documentation's word: no tenant was asked.
 */
export type VendorWorld = {
  readonly service: TestService
  readonly fleet: SmallFleet
  /** URLs of key sets that were asked for. */
  readonly asked: string[]
  /** The key sets by URL; what is not there does not answer. */
  readonly published: Map<string, Json>
  readonly key: ProviderKey
  /** Ids of new devices of this owner. */
  readonly own: (
    owner: string,
    device?: DeviceChanges & { readonly serial?: string },
  ) => Promise<string>
  readonly now: () => number
  /** The same service over the same database, with something between it and its store. */
  readonly withStore: (wrap: (store: Store) => Store) => Promise<TestService>
  /** Another one over the same database. */
  readonly open: (env: Environment) => Promise<TestService>
  readonly close: () => Promise<void>
}

export type ProviderKey = {
  readonly kid: string
  readonly privateKey: CryptoKey
  readonly jwk: Json
}

export const BAD = { claims: { ...HEALTHY, secureBootEnabled: false } }

export async function makeProviderKey(kid: string): Promise<ProviderKey> {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true })
  return {
    kid,
    privateKey,
    jwk: { ...(await exportJWK(publicKey)), kid, use: 'sig', alg: 'RS256' },
  }
}

export function signAs(
  { kid, privateKey }: ProviderKey,
  claims: JWTPayload,
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid, ...header })
    .sign(privateKey)
}

/** The token with another header and without a signature. */
export function unsigned(token: string): string {
  const header = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')
  return `${header}.${token.split('.')[1]}.`
}

export async function openVendorWorld(env: Environment, keysUrl: string): Promise<VendorWorld> {
  const database = await openTestDatabase()
  const fleet = await openSmallFleet({ open: async () => database })
  const key = await makeProviderKey('provider-1')
  const published = new Map<string, Json>([[keysUrl, { keys: [key.jwk] }]])
  const asked: string[] = []
  const { clock } = fleet.service
  const same = (store: Store) => store
  const openWith = (env: Environment, wrap: (store: Store) => Store) =>
    createTestService({
      ...{ database, clock, env, wrap },
      alter: (services) => ({
        ...services,
        callerKeySets: createPublishedKeySets({
          clock: clock.now,
          fetchJson: async (url) => {
            asked.push(url)
            return published.get(url)
          },
        }),
      }),
    })
  const service = await openWith(env, same)
  return {
    ...{ service, fleet, asked, published, key },
    async own(owner, { serial, ...device } = {}) {
      const [deviceId = ''] = await fleet.makeDevices(1, device)
      const changes = { owner, ...(serial !== undefined && { serial }) }
      const now = clock.now()
      await fleet.store.setDeviceAttributes({ deviceId, changes, by: 'test', now })
      return deviceId
    },
    now: () => Math.floor(clock.now().getTime() / 1000),
    withStore: (wrap) => openWith(env, wrap),
    open: (other) => openWith(other, same),
    close: database.close,
  }
}
