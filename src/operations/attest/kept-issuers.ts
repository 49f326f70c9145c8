import { KEPT_ISSUERS_MS, MAX_KEPT_ISSUERS } from '../../aia/limits.ts'
import { forgetOldest } from '../../base/forget-oldest.ts'
import type { Certificate } from '../../evidence/x509/certificate.ts'
import type { MissingIssuer } from '../../evidence/x509/failure.ts'
import { fingerprintOf } from '../../evidence/x509/fingerprint.ts'

/** Of the issuers in the store, those that this process used last. */
export function createKeptIssuers(clock: () => Date) {
  type Entry = { readonly certificates: readonly Certificate[]; readonly at: number }
  const byKey = new Map<string, Entry>()
  const known = new Set<string>()
  return {
    get(missing: MissingIssuer): readonly Certificate[] | undefined {
      const key = keyOf(missing)
      const entry = byKey.get(key)
      const now = clock().getTime()
      if (entry === undefined || Math.abs(now - entry.at) >= KEPT_ISSUERS_MS) return undefined
      byKey.delete(key)
      byKey.set(key, entry)
      return entry.certificates.filter(({ notAfter }) => notAfter.getTime() >= now)
    },
    /** Nothing is remembered of what the store does not have: another process may find it. */
    set(missing: MissingIssuer, certificates: readonly Certificate[]): void {
      if (certificates.length === 0) return
      byKey.set(keyOf(missing), { certificates, at: clock().getTime() })
      forgetOldest(byKey, MAX_KEPT_ISSUERS)
      for (const certificate of certificates) this.add(certificate)
    },
    has: (certificate: Certificate) => known.has(fingerprintOf(certificate)),
    add(certificate: Certificate): void {
      known.add(fingerprintOf(certificate))
      forgetOldest(known, MAX_KEPT_ISSUERS)
    },
  }
}

/** What issuers are found by. */
export function keyOf({
  issuer,
  keyIdentifier,
}: Pick<MissingIssuer, 'issuer' | 'keyIdentifier'>): string {
  return `${keyIdentifier ?? ''} ${issuer}`
}
