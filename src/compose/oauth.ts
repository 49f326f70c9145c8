import type { Config } from '../config/config.ts'
import type { ClientDirectory } from '../keys/client-directory.ts'
import {
  createPublishedKeySets,
  type FetchJson,
  type PublishedKeySets,
} from '../keysets/key-sets.ts'
import { RESOURCE_METADATA_PATH } from '../oauth/metadata.ts'
import { createDpopNonces, type DpopNonces } from '../operations/oauth/dpop-nonces.ts'
import { createCallerVerifier, type VerifyCaller } from '../operations/oauth/verify-caller.ts'
import type { Store } from '../store/store.ts'
import type { KeyServices } from './keys.ts'

/** What callers with access tokens are known by, on every surface. */
export type TokenServices = {
  /** Of clients and of the organisation's issuers, fetched and kept. */
  readonly callerKeySets: PublishedKeySets
  readonly dpopNonces: DpopNonces
  readonly verifyCaller: VerifyCaller
  /** URL of the metadata of our API, for whoever has no token yet. */
  readonly resourceMetadata: string
}

export const NOT_FETCHED: FetchJson = async () => undefined

/** Puts together what knows callers by their tokens. */
export function createTokenServices(input: {
  readonly config: Config
  readonly keys: KeyServices
  /** That of decisions: a proof is spent on the way to one. */
  readonly store: Store
  readonly clients: ClientDirectory
  readonly fetchJson: FetchJson | undefined
  readonly clock: () => Date
  readonly random: (length: number) => Uint8Array
}): TokenServices {
  const { config, keys, store, clients, fetchJson = NOT_FETCHED, clock, random } = input
  const { publicUrl: issuer, clockSkewSeconds, oauth } = config
  const keySets = createPublishedKeySets({ fetchJson, clock })
  const nonces = createDpopNonces({ keys: keys.sealing.dpopNonce, random, clock })
  const { accessTokenKey } = keys
  const { issuers } = oauth
  return {
    callerKeySets: keySets,
    dpopNonces: nonces,
    verifyCaller: createCallerVerifier({
      ...{ issuer, issuers, keySets, accessTokenKey, clients, nonces, store },
      ...{ clock, clockSkewSeconds },
    }),
    resourceMetadata: issuer + RESOURCE_METADATA_PATH,
  }
}
