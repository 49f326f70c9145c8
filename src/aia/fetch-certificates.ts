import { readBounded } from '../base/bounded-body.ts'
import type { Certificate } from '../evidence/x509/certificate.ts'
import { readCertificateFile } from '../evidence/x509/certificate-file.ts'
import { type AiaPlace, allowAiaUrl } from './hosts.ts'
import { MAX_ISSUER_BYTES, MAX_ISSUER_CERTIFICATES, MAX_REDIRECTS } from './limits.ts'

/**
 * What came of asking for certificates. `refused`: the place answered, and not with certificates;
 * `unanswered`: it did not, or not in time.
 */
export type FetchedCertificates =
  | { readonly kind: 'certificates'; readonly certificates: readonly Certificate[] }
  | { readonly kind: 'refused' }
  | { readonly kind: 'unanswered' }

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308]

/**
 * Fetches what a certificate names as its issuer's. `url` is one that `allowAiaUrl` gave; a redirect
 * is followed on the same host only, if the list allows its URL too. Nothing that comes back is
 * trusted. Never throws.
 */
export async function fetchCertificates(input: {
  readonly url: URL
  readonly places: readonly AiaPlace[]
  readonly fetch: typeof fetch
  /** Ends the fetch, wherever it is. */
  readonly signal: AbortSignal
}): Promise<FetchedCertificates> {
  try {
    return await follow(input)
  } catch {
    return { kind: 'unanswered' }
  }
}

async function follow(input: {
  readonly url: URL
  readonly places: readonly AiaPlace[]
  readonly fetch: typeof fetch
  readonly signal: AbortSignal
}): Promise<FetchedCertificates> {
  const { places, fetch: send, signal } = input
  let { url } = input
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const headers = { accept: ACCEPTED, 'user-agent': 'countersign' }
    const response = await send(url, { redirect: 'manual', headers, signal })
    if (!REDIRECTS.includes(response.status)) return await readAnswer(response)
    const next = placeOf(response.headers.get('location'), url)
    const allowed = next && allowAiaUrl(next.href, places)
    await response.body?.cancel()
    if (allowed === undefined || allowed.hostname !== url.hostname) break
    url = allowed
  }
  return { kind: 'refused' }
}

/** RFC 5280 §4.2.2.1; some servers name the kind wrongly, and the body decides. */
const ACCEPTED = 'application/pkix-cert, application/pkcs7-mime, */*;q=0.1'

function placeOf(location: string | null, base: URL): URL | undefined {
  return location !== null && URL.canParse(location, base) ? new URL(location, base) : undefined
}

/** A server in trouble has answered nothing; one that says there is no such file has. */
async function readAnswer(response: Response): Promise<FetchedCertificates> {
  const isInTrouble = response.status >= 500 || response.status === 429
  if (response.status !== 200) {
    await response.body?.cancel()
    return { kind: isInTrouble ? 'unanswered' : 'refused' }
  }
  const body = await readBounded(response, MAX_ISSUER_BYTES)
  const read = body && readCertificateFile(body)
  if (read?.ok !== true || read.value.length > MAX_ISSUER_CERTIFICATES) return { kind: 'refused' }
  return { kind: 'certificates', certificates: read.value }
}
