import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { digest } from '../../base/digest.ts'
import { toBase64Url, toUtf8 } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { SignedStatusList } from '../../store/devices/status-list.ts'
import type { Store } from '../../store/store.ts'

export const STATUS_LIST_REASONS = [
  /** None was signed yet, or the last one is older than it may be. */
  'status_list_unavailable',
] as const

export type StatusListFailure = { readonly reason: (typeof STATUS_LIST_REASONS)[number] }

/** The list as it goes out. */
export type ServedStatusList = {
  /** A compact JWS. */
  readonly token: string
  /** The same in gzip (RFC 1952). */
  readonly gzipped: Uint8Array<ArrayBuffer>
  /** Names the token: no other has the same. */
  readonly tag: string
  /** Until it ends; more than 0. */
  readonly secondsLeft: number
}

export type StatusListServer = {
  readonly read: () => Promise<Result<ServedStatusList, StatusListFailure>>
}

/** So often a process looks whether there is a newer list. */
const REREAD_MS = 5000

type Kept = SignedStatusList & Pick<ServedStatusList, 'gzipped' | 'tag'>

/**
 * Serves the signed list out of memory, and looks for a newer one every few seconds: one small statement,
 * which answers with the list where that is another one. No request waits for what another one began.
 */
export function createStatusListServer(input: {
  readonly store: Pick<Store, 'signedStatusList'>
  readonly config: { readonly statusListTtlSeconds: number }
  readonly clock: () => Date
}): StatusListServer {
  const { store, config, clock } = input
  let kept: Kept | undefined
  let lookedAt = -Infinity
  const look = async () => {
    lookedAt = clock().getTime()
    const found = await store.signedStatusList(kept?.issuedAt ?? null)
    if (found !== null && (kept === undefined || kept.issuedAt < found.issuedAt)) {
      kept = await prepare(found)
    }
  }
  /** What is kept counts until it ends, whatever becomes of the database. */
  const lookOr = async (isKept: () => boolean) => {
    try {
      await look()
    } catch (error) {
      if (!isKept()) throw error
    }
  }
  return {
    async read() {
      const secondsLeft = () => {
        if (kept === undefined) return 0
        // As the token says it, whose time has no fraction.
        const issuedAt = Math.floor(kept.issuedAt.getTime() / 1000)
        return issuedAt + config.statusListTtlSeconds - clock().getTime() / 1000
      }
      const isTime = Math.abs(clock().getTime() - lookedAt) >= REREAD_MS
      if (isTime || secondsLeft() < 1) await lookOr(() => secondsLeft() >= 1)
      const left = Math.floor(secondsLeft())
      if (kept === undefined || left < 1) return err({ reason: 'status_list_unavailable' })
      const { token, gzipped, tag } = kept
      return ok({ token, gzipped, tag, secondsLeft: left })
    },
  }
}

const compress = promisify(gzip)

async function prepare(list: SignedStatusList): Promise<Kept> {
  const gzipped = new Uint8Array(await compress(list.token))
  const tag = toBase64Url(digest('sha256', toUtf8(list.token)).subarray(0, 16))
  return { ...list, gzipped, tag }
}
