import type { KeyObject } from 'node:crypto'
import { digest } from '../../src/base/digest.ts'
import { toUtf8 } from '../../src/base/encoding.ts'
import type { Certificate } from '../../src/evidence/x509/certificate.ts'
import { type IssuedCertificate, issueCertificate, type TestExtension } from './certificates.ts'
import { readMicrosoft } from './microsoft-chains.ts'

const SUBJECT_KEY = '2.5.29.14'
const AUTHORITY_KEY = '2.5.29.35'
const AUTHORITY_ACCESS = '1.3.6.1.5.5.7.1.1'

/** A root, an issuing authority of one region and the certificates of attestation keys. */
export type MicrosoftHierarchy = {
  readonly root: IssuedCertificate
  readonly authority: IssuedCertificate
  readonly issueAk: (key: KeyObject) => Promise<Uint8Array>
}

/**
 * Another hierarchy of the form of Microsoft's: every extension has the bytes that it has in the
 * genuine certificates, policies, purposes and the critical name of the TPM included. What names keys
 * and places is this hierarchy's own: `urls` say where each certificate's issuer is.
 */
export async function copyMicrosoftHierarchy(input: {
  readonly now: Date
  readonly urls: { readonly ofAuthority: string; readonly ofRoot: string }
}): Promise<MicrosoftHierarchy> {
  const { now, urls } = input
  const validity = {
    notBefore: new Date(now.getTime() - 86_400_000),
    notAfter: new Date(now.getTime() + 365 * 86_400_000),
  }
  const copy = async (
    like: Certificate,
    names: { readonly subject: string; readonly issuer?: IssuedCertificate; readonly url?: string },
    key: CryptoKeyPair,
  ) => {
    const { subject, issuer, url } = names
    const own = { [SUBJECT_KEY]: tlv(0x04, await keyIdOf(key)) }
    const above = issuer && { [AUTHORITY_KEY]: tlv(0x30, tlv(0x80, await keyIdOf(issuer.keys))) }
    const place = url === undefined ? {} : { [AUTHORITY_ACCESS]: accessTo(url) }
    const replaced: Readonly<Record<string, Uint8Array>> = { ...own, ...above, ...place }
    const extensions = [...like.extensions].map(
      ([oid, { critical, value }]): TestExtension => ({
        oid,
        critical,
        value: replaced[oid] ?? value,
      }),
    )
    const made = { subject, key, extensions, withoutBasicConstraints: true, ...validity }
    return issueCertificate(issuer === undefined ? made : { ...made, issuer })
  }
  const root = await copy(
    readMicrosoft('microsoft-tpm-root-2014'),
    { subject: 'Another TPM Root Certificate Authority' },
    await makeKeys(),
  )
  const authority = await copy(
    readMicrosoft('ntc-eus-ca'),
    { subject: 'EUS-NTC-KEYID-COPY', issuer: root, url: urls.ofRoot },
    await makeKeys(),
  )
  return {
    root,
    authority,
    async issueAk(key) {
      const like = readMicrosoft('ntc-eus-aik')
      const names = { subject: '', issuer: authority, url: urls.ofAuthority }
      return (await copy(like, names, await publicOf(key))).der
    },
  }
}

const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }

function makeKeys(): Promise<CryptoKeyPair> {
  const size = { modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) }
  return crypto.subtle.generateKey({ ...RSA, ...size }, true, ['sign', 'verify'])
}

/** A pair without its private half: a leaf signs nothing here. */
async function publicOf(key: KeyObject): Promise<CryptoKeyPair> {
  const spki = new Uint8Array(key.export({ type: 'spki', format: 'der' }))
  const publicKey = await crypto.subtle.importKey('spki', spki, RSA, true, ['verify'])
  return { publicKey, privateKey: publicKey }
}

/** One of the ways of RFC 5280 §4.2.1.2 to name a key. */
async function keyIdOf({ publicKey }: CryptoKeyPair): Promise<Uint8Array> {
  return digest('sha1', new Uint8Array(await crypto.subtle.exportKey('spki', publicKey)))
}

/** id-ad-caIssuers, 1.3.6.1.5.5.7.48.2, with one URL. RFC 5280 §4.2.2.1 */
function accessTo(url: string): Uint8Array {
  const method = tlv(0x06, Uint8Array.of(0x2b, 6, 1, 5, 5, 7, 0x30, 2))
  return tlv(0x30, tlv(0x30, Buffer.concat([method, tlv(0x86, toUtf8(url))])))
}

function tlv(tag: number, content: Uint8Array): Uint8Array {
  if (content.length > 255) throw new TypeError('longer than any here')
  const length = content.length < 128 ? [content.length] : [0x81, content.length]
  return Buffer.concat([Uint8Array.of(tag, ...length), content])
}
