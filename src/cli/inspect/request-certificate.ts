import { ok } from '../../base/result.ts'
import { namesEnrolledKey } from '../../verifier/enrolment/certificate-names.ts'
import { type Aik, type AikTrust, validateAik } from '../../verifier/kinds/tpm/attestation-key.ts'

const ENROLLED =
  'it is the certificate of an enrolled key, which only the service that issued it can check'

/**
 * Why only a service can check the certificate of an attestation key, whatever anchors are given: it
 * issued it, or it would fetch an authority that is missing here from where a certificate names it.
 * Nothing is fetched. `undefined`: it can be checked here, or would be refused anywhere.
 */
export async function whyUncheckable(
  aik: Aik,
  trust: AikTrust | undefined,
  now: Date,
): Promise<string | undefined> {
  if (namesEnrolledKey(aik.certificate)) return ENROLLED
  if (trust === undefined) return undefined
  const urls: string[] = []
  const path = await validateAik(
    aik,
    {
      ...trust,
      async findIssuers(missing) {
        urls.push(...missing.urls)
        return ok([])
      },
    },
    now,
  )
  const isFetched = !path.ok && path.failure.reason === 'certificate_issuer_unknown'
  if (!isFetched || urls.length === 0) return undefined
  const { expected = 'the authority above it' } = path.failure
  const where = 'to have it checked here, put it into aik_cert_chain or into the file of --anchors'
  return `only a service fetches ${expected}, from ${[...new Set(urls)].join(', ')}; ${where}`
}
