import { promisify } from 'node:util'
import { constants, deflate } from 'node:zlib'
import { joinChunks } from '../../access/status-list/chunks.ts'
import type { StatusListToSign } from '../../access/status-list/list-token.ts'
import type { Store } from '../../store/store.ts'

export type BuildDependencies = {
  readonly store: Pick<Store, 'statusChunks' | 'keepStatusList'>
  readonly signStatusList: (list: StatusListToSign) => Promise<string>
  readonly config: {
    /** How old the list may be; 0 for no list. */
    readonly statusListTtlSeconds: number
  }
}

/**
 * Makes the list of what is written, signs and keeps it. `asOf`: the time of which everything is written;
 * the list counts from then on, and not from when it is done.
 */
export async function buildStatusList(
  { store, signStatusList, config }: BuildDependencies,
  asOf: Date,
): Promise<'applied' | 'superseded'> {
  const compressed = await compressStatuses(joinChunks(await store.statusChunks()))
  const token = await signStatusList({
    compressed,
    issuedAt: asOf,
    ttlSeconds: config.statusListTtlSeconds,
  })
  return store.keepStatusList({ token, issuedAt: asOf })
}

const compress = promisify(deflate)

const STRATEGIES = [constants.Z_HUFFMAN_ONLY, constants.Z_RLE]

/**
 * In the ZLIB format (RFC 1950) as the list wants it, the shorter of two. Devices at random places repeat
 * nothing: looking for repetitions (`Z_DEFAULT_STRATEGY`) takes a hundred times as long, and what it finds
 * makes the list longer by a sixth.
 */
export async function compressStatuses(statuses: Uint8Array): Promise<Uint8Array> {
  const options = { level: 9, memLevel: 9 }
  let shortest: Uint8Array | undefined
  for (const strategy of STRATEGIES) {
    const compressed = await compress(statuses, { ...options, strategy })
    if (shortest === undefined || compressed.length < shortest.length) shortest = compressed
  }
  return shortest ?? new Uint8Array()
}
