import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { fetchCertificates } from '../../src/aia/fetch-certificates.ts'
import { allowAiaUrl, KNOWN_AIA_HOSTS, readAiaPlace } from '../../src/aia/hosts.ts'
import { MAX_ISSUER_BYTES, MAX_REDIRECTS } from '../../src/aia/limits.ts'
import { fingerprintOf } from '../../src/evidence/x509/fingerprint.ts'
import { type AiaAnswer, type AiaServer, startAiaServer } from '../support/aia-server.ts'
import { type IssuedCertificate, issueCertificate } from '../support/certificates.ts'
import { describeMicrosoftChains, readMicrosoft } from '../support/microsoft-chains.ts'
import { describeOpenssl, openssl } from '../support/openssl.ts'

const PLACES = KNOWN_AIA_HOSTS.flatMap((text) => readAiaPlace(text) ?? [])
const URL_OF_CA = 'http://pki.infineon.com/ca/ca.crt'
let server: AiaServer
let ca: IssuedCertificate

beforeAll(async () => {
  server = await startAiaServer()
  ca = await issueCertificate({ subject: 'CA', ca: true })
})
afterAll(() => server?.close())
beforeEach(() => {
  server.asked.length = 0
})

function fetchFrom(text: string, signal = AbortSignal.timeout(10_000)) {
  const url = allowAiaUrl(text, PLACES)
  if (url === undefined) return expect.fail(`${text} is not allowed`)
  return fetchCertificates({ url, places: PLACES, fetch: server.fetch, signal })
}

async function fingerprintsAt(url: string): Promise<readonly string[]> {
  const fetched = await fetchFrom(url)
  if (fetched.kind !== 'certificates') return expect.fail(fetched.kind)
  return fetched.certificates.map(fingerprintOf)
}

const redirectTo =
  (location: string, status = 302): AiaAnswer =>
  (_, response) => {
    response.writeHead(status, { location }).end()
  }

describe('what authorities serve', () => {
  test('is a certificate in DER, or in PEM whatever its kind is called', async () => {
    server.serve(URL_OF_CA, ca.der)
    const [inDer] = await fingerprintsAt(URL_OF_CA)
    server.serve(URL_OF_CA, Buffer.from(ca.pem))
    expect(await fingerprintsAt(URL_OF_CA)).toEqual([inDer])
  })

  test('may be compressed by the server', async () => {
    server.serve(URL_OF_CA, (_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(ca.der))
    })
    expect(await fingerprintsAt(URL_OF_CA)).toHaveLength(1)
  })

  test.each([301, 302, 303, 307, 308])('may have moved to https on its host: %d', async (code) => {
    const moved = URL_OF_CA.replace('http:', 'https:')
    server.serve(URL_OF_CA, redirectTo(moved, code))
    server.serve(moved, ca.der)
    expect(await fingerprintsAt(URL_OF_CA)).toHaveLength(1)
    expect(server.asked).toEqual([URL_OF_CA, moved])
  })

  test('may have moved within its host, by a relative address', async () => {
    server.serve(URL_OF_CA, redirectTo('../new.crt'))
    server.serve('http://pki.infineon.com/new.crt', ca.der)
    expect(await fingerprintsAt(URL_OF_CA)).toHaveLength(1)
  })
})

describeOpenssl('certs-only messages of OpenSSL', () => {
  test.each(['DER', 'PEM'])('are read as %s (RFC 5280 §4.2.2.1)', async (form) => {
    const message = ['crl2pkcs7', '-nocrl', '-outform', form, '-certfile']
    server.serve(URL_OF_CA, openssl(message, ca.pem + ca.pem))
    expect(await fingerprintsAt(URL_OF_CA)).toHaveLength(2)
  })
})

describeMicrosoftChains('issuers that Microsoft publishes', () => {
  test('are fetched from where the certificates of TPMs name them', async () => {
    const url =
      'http://azcsprodeusaikpublish.blob.core.windows.net/eus-ntc-keyid-e4a8666f8f4c6d9c3932a948847780a6810c4213/e01c2062-fbdc-40a5-a40f-c377c0f7651c.cer'
    const issuer = readMicrosoft('ntc-eus-ca')
    server.serve(url, issuer.der)
    expect(await fingerprintsAt(url)).toEqual([fingerprintOf(issuer)])
  })
})

describe('a place that a certificate names', () => {
  test.each([
    'http://attacker.example/ca.crt',
    'http://169.254.169.254/metadata/identity',
    'http://localhost/ca.crt',
    'http://pki.infineon.com@attacker.example/',
    'https://ftpm.amd.com/ca.crt',
    'http://pki.infineon.com:8080/ca.crt',
    'file:///etc/passwd',
    'http://[::1]/',
    '',
  ])('cannot send us elsewhere, to %s', async (location) => {
    server.serve(URL_OF_CA, redirectTo(location))
    expect(await fetchFrom(URL_OF_CA)).toEqual({ kind: 'refused' })
    // Also not to itself, where an empty address leads.
    expect(server.asked.every((url) => url === URL_OF_CA)).toBe(true)
  })

  test('cannot lead us in a circle', async () => {
    server.serve(URL_OF_CA, redirectTo(URL_OF_CA))
    expect(await fetchFrom(URL_OF_CA)).toEqual({ kind: 'refused' })
    expect(server.asked).toHaveLength(MAX_REDIRECTS + 1)
  })

  test('cannot fill our memory, by an endless body or a small one that unpacks to much', async () => {
    server.serve(URL_OF_CA, (_, response) => {
      response.writeHead(200)
      const more = () => {
        while (response.write(Buffer.alloc(65_536)));
      }
      response.on('drain', more)
      more()
    })
    expect(await fetchFrom(URL_OF_CA)).toEqual({ kind: 'refused' })
    server.serve(URL_OF_CA, (_, response) => {
      const packed = gzipSync(Buffer.alloc(MAX_ISSUER_BYTES * 100))
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(packed)
    })
    expect(await fetchFrom(URL_OF_CA)).toEqual({ kind: 'refused' })
  })

  test('cannot hold us by saying nothing, or by saying it slowly', async () => {
    server.serve(URL_OF_CA, () => undefined)
    expect(await fetchFrom(URL_OF_CA, AbortSignal.timeout(100))).toEqual({ kind: 'unanswered' })
    server.serve(URL_OF_CA, (_, response) => {
      response.writeHead(200).write(ca.der.subarray(0, 10))
    })
    expect(await fetchFrom(URL_OF_CA, AbortSignal.timeout(100))).toEqual({ kind: 'unanswered' })
  })

  test.each([
    ['a page', Buffer.from('<html>certificate</html>')],
    ['nothing', new Uint8Array()],
    ['half a certificate', undefined],
  ])('that serves %s has answered, and not with certificates', async (_, body) => {
    server.serve(URL_OF_CA, body ?? ca.der.subarray(0, -1))
    expect(await fetchFrom(URL_OF_CA)).toEqual({ kind: 'refused' })
  })

  test('that serves more certificates than an authority has is not read', async () => {
    server.serve(URL_OF_CA, Buffer.from(ca.pem.repeat(9)))
    expect(await fetchFrom(URL_OF_CA)).toEqual({ kind: 'refused' })
  })

  test.each([
    [404, 'refused'],
    [403, 'refused'],
    [204, 'refused'],
    [429, 'unanswered'],
    [500, 'unanswered'],
    [503, 'unanswered'],
  ])('that answers %d has %s', async (status, kind) => {
    server.serve(URL_OF_CA, (_, response) => response.writeHead(status).end())
    expect(await fetchFrom(URL_OF_CA)).toEqual({ kind })
  })

  test('that cannot be reached has not answered', async () => {
    const unreachable: typeof fetch = () => fetch('http://127.0.0.1:1/')
    const url = new URL(URL_OF_CA)
    const signal = AbortSignal.timeout(5000)
    const fetched = await fetchCertificates({ url, places: PLACES, fetch: unreachable, signal })
    expect(fetched).toEqual({ kind: 'unanswered' })
  })
})
