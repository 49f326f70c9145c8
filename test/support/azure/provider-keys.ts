import { createPkiKey, createRegionalKey, LEAF_DAYS, type ProviderKey } from './certificates.ts'

export type ProviderKeySet = {
  /** Signs answers about policies. */
  readonly regional: ProviderKey
  /** Signs attestation tokens. */
  readonly signing: ProviderKey
  /** Signs nothing any more, has expired, and is listed as Azure listed its own. */
  readonly former: ProviderKey
}

/** The keys of one provider, which are those of every provider until they are changed here. */
export type ProviderKeys = {
  readonly current: () => Promise<ProviderKeySet>
  readonly rotate: () => void
  readonly expireLeaf: () => void
}

export function createProviderKeys(input: {
  readonly url: () => string
  readonly clock: () => Date
}): ProviderKeys {
  let generation = 1
  let keys: Promise<ProviderKeySet> | undefined
  const createSigning = (days: { readonly from: number; readonly to: number }) =>
    createPkiKey({ name: `pki ${generation}`, days, now: input.clock() })

  const start = async (): Promise<ProviderKeySet> => ({
    regional: await createRegionalKey(input.url()),
    signing: await createSigning(LEAF_DAYS.current),
    former: await createPkiKey({ name: 'pki 0', days: LEAF_DAYS.former, now: input.clock() }),
  })
  const current = () => {
    keys ??= start()
    return keys
  }
  const replace = (signing: Promise<ProviderKey>) => {
    const before = current()
    keys = (async () => ({ ...(await before), signing: await signing }))()
  }
  return {
    current,
    rotate: () => {
      generation += 1
      replace(createSigning(LEAF_DAYS.current))
    },
    expireLeaf: () => replace(createSigning(LEAF_DAYS.expired)),
  }
}

/** The body of `/certs`: these members, no others, in the recorded order. */
export function listKeys({ regional, signing, former }: ProviderKeySet) {
  return { keys: [regional, signing, former].map(({ x5c, kid }) => ({ x5c, kid, kty: 'RSA' })) }
}
