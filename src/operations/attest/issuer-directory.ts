import { type CertificateSource, createCertificateSource } from '../../aia/certificate-source.ts'
import type { AiaPlace } from '../../aia/hosts.ts'
import {
  MAX_FETCHES_PER_REQUEST,
  MAX_STORED_ISSUERS,
  MAX_URLS_PER_CERTIFICATE,
  MAX_WAIT_MS,
  MAX_WAITING,
} from '../../aia/limits.ts'
import { digest } from '../../base/digest.ts'
import { fromBase64, toBase64, toBase64Url, toHex, toUtf8 } from '../../base/encoding.ts'
import type { Log } from '../../base/log.ts'
import type { LogBudget } from '../../base/log-budget.ts'
import { err, ok } from '../../base/result.ts'
import { type Certificate, parseCertificate } from '../../evidence/x509/certificate.ts'
import type { MissingIssuer } from '../../evidence/x509/failure.ts'
import { fingerprintOf } from '../../evidence/x509/fingerprint.ts'
import { nameKey } from '../../evidence/x509/name.ts'
import type { Store } from '../../store/store.ts'
import type { CertifiedPath, FindIssuers, PathTrust } from '../../verifier/steps/certified-path.ts'
import { createKeptIssuers, keyOf } from './kept-issuers.ts'

/** The certificates of authorities between those of devices and the trust anchors. */
export type IssuerDirectory = {
  /**
   * For the verification of one request: looks in this process, then in the store, then where the
   * certificate says, from listed hosts only. Waits a short bounded time in all.
   */
  readonly forRequest: () => FindIssuers
  /** The same for whom it is told, with the certificates of known anchors that were seen before. */
  readonly supply: <T extends PathTrust>(trust: T) => T
  /** Keeps what a verified path taught us, for all processes. Never fails the caller. */
  readonly keep: (path: CertifiedPath) => Promise<void>
}

type DirectoryInput = {
  readonly store: Pick<Store, 'issuerCertificates' | 'keepIssuerCertificate'>
  readonly places: readonly AiaPlace[]
  readonly clock: () => Date
  readonly log: Log
  readonly logBudget: LogBudget
  readonly fetch?: typeof fetch
}

export function createIssuerDirectory(input: DirectoryInput): IssuerDirectory {
  const { store, places, clock, log, logBudget } = input
  const send: typeof fetch = input.fetch ?? ((...request) => fetch(...request))
  const source = createCertificateSource({ places, fetch: send, clock })
  const kept = createKeptIssuers(clock)
  const waiting = { count: 0 }

  const findKept = async (missing: MissingIssuer): Promise<readonly Certificate[]> => {
    const known = kept.get(missing)
    if (known !== undefined) return known
    const wanted = { keyId: missing.keyIdentifier ?? null, nameHash: hashName(missing.issuer) }
    const texts = await store.issuerCertificates({ ...wanted, now: clock() })
    const found = texts.flatMap(readStored)
    kept.set(missing, found)
    return found
  }

  const seenAnchors = new Map<string, Certificate>()

  const forRequest = (): FindIssuers => {
    const asked = new Set<string>()
    const fetching = fetchForRequest({ source, waiting, logBudget, clock })
    return async (missing) => {
      const key = keyOf(missing)
      const isFirst = !asked.has(key)
      asked.add(key)
      const found = isFirst ? await findKept(missing) : []
      // Whoever asks again was not helped by what is kept: an authority may have a new key.
      return found.length > 0 ? ok(found) : fetching(missing)
    }
  }

  return {
    forRequest,
    supply(trust) {
      const known = [...(trust.knownAnchors ?? [])]
      const seen = known.flatMap((fingerprint) => seenAnchors.get(fingerprint) ?? [])
      return { ...trust, anchors: [...trust.anchors, ...seen], findIssuers: forRequest() }
    },
    async keep({ anchor, learnt }) {
      if (learnt.includes(anchor)) seenAnchors.set(fingerprintOf(anchor), anchor)
      for (const certificate of learnt) {
        if (kept.has(certificate)) continue
        try {
          await store.keepIssuerCertificate({
            ...describe(certificate),
            anchor: fingerprintOf(anchor),
            now: clock(),
            most: MAX_STORED_ISSUERS,
          })
          kept.add(certificate)
        } catch (error) {
          const reason = error instanceof Error ? error.name : 'unknown'
          log.warn('issuer_certificate_not_kept', { reason })
        }
      }
    },
  }
}

/** Asks where certificates say, for one request: its time and its fetches are bounded as a whole. */
function fetchForRequest(input: {
  readonly source: CertificateSource
  readonly waiting: { count: number }
  readonly logBudget: LogBudget
  readonly clock: () => Date
}): FindIssuers {
  const { source, waiting, logBudget, clock } = input
  let deadline: AbortSignal | undefined
  let fetches = 0
  const begin = () => {
    fetches += 1
    return fetches <= MAX_FETCHES_PER_REQUEST
  }
  const ask = async (urls: readonly string[]): Promise<Awaited<ReturnType<FindIssuers>>> => {
    deadline ??= AbortSignal.timeout(MAX_WAIT_MS)
    let waitMs: number | undefined
    let tried = 0
    for (const url of urls) {
      if (tried === MAX_URLS_PER_CERTIFICATE) break
      const sourced = await source.certificatesAt(url, { deadline, begin })
      if (sourced.kind === 'certificates') return ok(sourced.certificates)
      if (sourced.kind === 'not_allowed') continue
      tried += 1
      waitMs = Math.min(waitMs ?? Infinity, sourced.retryAfterMs)
      const retryAfterMs = sourced.retryAfterMs
      const fields = { host: new URL(url).host, retryAfterMs }
      logBudget.write('info', 'issuer_certificate_unavailable', '', fields, clock())
    }
    return waitMs === undefined ? ok([]) : unavailable(waitMs)
  }
  return async ({ urls }) => {
    if (urls.length === 0) return ok([])
    if (waiting.count >= MAX_WAITING) return unavailable(1000)
    waiting.count += 1
    try {
      return await ask(urls)
    } finally {
      waiting.count -= 1
    }
  }
}

function unavailable(waitMs: number) {
  const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000))
  return err({ reason: 'certificate_issuer_unavailable', retryAfterSeconds })
}

function hashName(name: string): string {
  return toBase64Url(digest('sha256', toUtf8(name)))
}

function describe(certificate: Certificate) {
  const { subject, subjectKeyIdentifier, der, notAfter } = certificate
  return {
    fingerprint: fingerprintOf(certificate),
    keyId: subjectKeyIdentifier === undefined ? null : toHex(subjectKeyIdentifier),
    nameHash: hashName(nameKey(subject)),
    certificate: toBase64(der),
    validUntil: notAfter,
  }
}

/** What another version stored and this one cannot read is as good as not there. */
function readStored(text: string): readonly Certificate[] {
  const der = fromBase64(text)
  const read = der && parseCertificate(der)
  return read?.ok === true ? [read.value] : []
}
