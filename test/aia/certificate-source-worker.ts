import {
  type CertificateSource,
  createCertificateSource,
} from '../../src/aia/certificate-source.ts'
import { readAiaPlace } from '../../src/aia/hosts.ts'
import { fingerprintOf } from '../../src/evidence/x509/fingerprint.ts'

/** Runs inside of workerd for test/aia/certificate-source-workerd.test.ts. */
export type SourceOrder = { readonly place: string; readonly url: string; readonly waitMs: number }

/** Kept between requests, as a service would: what one request leaves here must serve the next. */
let source: CertificateSource | undefined

export default {
  async fetch(request: Request): Promise<Response> {
    const { place, url, waitMs }: SourceOrder = await request.json()
    const places = [readAiaPlace(place)].filter((one) => one !== undefined)
    source ??= createCertificateSource({
      places,
      fetch: (...sent) => fetch(...sent),
      clock: () => new Date(),
    })
    const deadline = AbortSignal.timeout(waitMs)
    const sourced = await source.certificatesAt(url, { deadline, begin: () => true })
    return Response.json(
      sourced.kind === 'certificates'
        ? { kind: sourced.kind, fingerprints: sourced.certificates.map(fingerprintOf) }
        : sourced,
    )
  },
}
