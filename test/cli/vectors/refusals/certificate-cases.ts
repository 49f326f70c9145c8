import { toBase64Url } from '../../../../src/base/encoding.ts'
import { endorsementKey, keysOfDevice } from '../../../../src/cli/vectors/fixed-device.ts'
import { VECTORS_NOW } from '../../../../src/cli/vectors/fixed-service.ts'
import { type RefusalBench, TRYING_RUN } from '../../../../src/cli/vectors/refusal-bench.ts'
import { withEvidence } from '../../../../src/cli/vectors/refusals/evidence.ts'
import { CURRENT } from '../../../../src/cli/vectors/refusals/plan.ts'
import {
  type CertificateRequest,
  caIssuers,
  type IssuedCertificate,
  issueCertificate,
  publicPair,
} from '../../../support/certificates.ts'
import type { RefusalCase } from './case.ts'

/** DER of the Name CN=Other. */
const OTHER_NAME = '3010310e300c06035504030c054f74686572'
const AIK_PURPOSE = '2.23.133.8.3'
const EK_PURPOSE = '2.23.133.8.1'
const at = (days: number) => new Date(VECTORS_NOW.getTime() + days * 86_400_000)
const living = { notBefore: at(-1), notAfter: at(365) }
const signs = { ca: true, keyUsage: ['keyCertSign'], ...living } as const

const attestationKey = () => keysOfDevice(TRYING_RUN).attestation

/** Roots that the service trusts beside its own authority. */
export async function makeTestRoots() {
  const root = await issueCertificate({ subject: 'Root', ...signs })
  const low = await issueCertificate({ subject: 'Low root', ...signs, pathLen: 0 })
  const old = await issueCertificate({ subject: 'SHA-1 root', ...signs, key: rsaSha1 })
  return { root, low, old }
}

export type TestRoots = Awaited<ReturnType<typeof makeTestRoots>>

const rsaSha1 = { kind: 'rsa', hash: 'SHA-1' } as const

type Made = { readonly leaf: Uint8Array; readonly chain?: readonly IssuedCertificate[] }

/** What is wrong with the certificate of the attestation key, by the reason that says so. */
export function certificateCases(roots: TestRoots): readonly RefusalCase[] {
  const { root, low, old } = roots
  const leafOf = async (change: Partial<CertificateRequest> = {}) => {
    const { der } = await issueCertificate({
      subject: 'Attestation key',
      issuer: root,
      key: await publicPair(attestationKey()),
      keyUsage: ['digitalSignature'],
      extendedKeyUsage: [AIK_PURPOSE],
      ...living,
      ...change,
    })
    return der
  }
  const make = (reason: string, tries: string, made: () => Promise<Made>): RefusalCase => ({
    reason,
    tries,
    where: { member: `${CURRENT}.aik_cert` },
    send: async (bench) => sendWith(bench, await made()),
  })
  const leaf = (reason: string, tries: string, change: Partial<CertificateRequest>) =>
    make(reason, tries, async () => ({ leaf: await leafOf(change) }))
  return [
    make('certificate_malformed', 'three bytes', async () => ({ leaf: Uint8Array.of(1, 2, 3) })),
    leaf('certificate_duplicate_extension', 'an extension twice', {
      extensions: [extension('1.3.6.1.4.1.99999.1'), extension('1.3.6.1.4.1.99999.1')],
    }),
    make('certificate_algorithm_mismatch', 'two names of its algorithm', async () => {
      const der = Buffer.from(await leafOf())
      const oid = Buffer.from('06082a8648ce3d040302', 'hex')
      der[der.lastIndexOf(oid) + oid.length - 1] = 0x03
      return { leaf: der }
    }),
    leaf('certificate_algorithm_refused', 'a signature over SHA-1', { issuer: old }),
    leaf('certificate_expired', 'yesterday', { notBefore: at(-9), notAfter: at(-1) }),
    leaf('certificate_not_yet_valid', 'tomorrow', { notBefore: at(1) }),
    leaf('certificate_is_ca', 'an authority', { ca: true }),
    leaf('certificate_key_usage', 'a key for encryption', { keyUsage: ['keyEncipherment'] }),
    leaf('certificate_extended_key_usage', 'a key of a web server', {
      extendedKeyUsage: ['1.3.6.1.5.5.7.3.1'],
    }),
    leaf('certificate_critical_extension', 'an unknown extension', {
      extensions: [{ ...extension('1.3.6.1.4.1.99999.1'), critical: true }],
    }),
    make('certificate_not_ca', 'an issuer that is none', async () => {
      const issuer = await issueCertificate({ subject: 'Nobody', issuer: root, ...living })
      return { leaf: await leafOf({ issuer }), chain: [issuer] }
    }),
    make('certificate_path_length', 'an authority too many', async () => {
      const issuer = await issueCertificate({ subject: 'Middle', issuer: low, ...signs })
      return { leaf: await leafOf({ issuer }), chain: [issuer] }
    }),
    make('certificate_name_constraints', 'a name outside of its issuer', async () => {
      const issuer = await issueCertificate({
        subject: 'Constrained',
        issuer: root,
        ...signs,
        // permittedSubtrees: the directory name CN=Other. RFC 5280 §4.2.1.10
        extensions: [
          {
            oid: '2.5.29.30',
            critical: true,
            value: Buffer.from(`3018a0163014a412${OTHER_NAME}`, 'hex'),
          },
        ],
      })
      return { leaf: await leafOf({ issuer }), chain: [issuer] }
    }),
    make('certificate_policies', 'no policy where one is required', async () => {
      const issuer = await issueCertificate({
        subject: 'Explicit',
        issuer: root,
        ...signs,
        // requireExplicitPolicy [0] 0. RFC 5280 §4.2.1.11
        extensions: [{ oid: '2.5.29.36', critical: true, value: Buffer.from('3003800100', 'hex') }],
      })
      return { leaf: await leafOf({ issuer }), chain: [issuer] }
    }),
    make('certificate_signature_invalid', 'an issuer of the same name', async () => {
      const issuer = await issueCertificate({ subject: 'Root', ...signs })
      return { leaf: await leafOf({ issuer }) }
    }),
    make('certificate_issuer_unknown', 'an issuer that did not come along', async () => {
      const issuer = await issueCertificate({ subject: 'Stranger', ...signs })
      return { leaf: await leafOf({ issuer }) }
    }),
    make('certificate_anchor_unknown', 'a root that came along', async () => {
      const issuer = await issueCertificate({ subject: 'Stranger', ...signs })
      return { leaf: await leafOf({ issuer }), chain: [issuer] }
    }),
  ]
}

/** Where nobody answers, and the settings of a service that would ask there. */
const NOWHERE = { host: 'localhost:9', url: 'http://localhost:9/issuer.cer' }

/** Certificates whose issuer has to be fetched, and cannot be: of either kind of key. */
export async function awayCases(): Promise<readonly RefusalCase[]> {
  const stranger = await issueCertificate({ subject: 'Away', ...signs })
  const common = { issuer: stranger, ...living, extensions: [caIssuers(NOWHERE.url)] }
  const ak = await issueCertificate({
    ...{ ...common, subject: 'Attestation key', key: await publicPair(attestationKey()) },
    ...{ keyUsage: ['digitalSignature'], extendedKeyUsage: [AIK_PURPOSE] },
  })
  const ek = await issueCertificate({
    ...{ ...common, subject: 'Endorsement key', key: await publicPair(endorsementKey()) },
    ...{ keyUsage: ['keyEncipherment'], extendedKeyUsage: [EK_PURPOSE] },
  })
  const settings = { AIA_HOSTS: NOWHERE.host }
  return [
    {
      ...{ reason: 'certificate_issuer_unavailable', tries: 'an issuer that is away' },
      ...{ status: 503, where: { member: `${CURRENT}.aik_cert` }, settings },
      send: (bench) => sendWith(bench, { leaf: ak.der }),
    },
    {
      ...{ reason: 'issuer_unavailable', tries: 'a maker that is away', status: 503, settings },
      where: { member: 'ek_certificate' },
      send(bench) {
        const { path, body } = bench.exchangeOf('enrolment', 'enrolment').request
        return bench.post(path, { ...JSON.parse(body), ek_certificate: toBase64Url(ek.der) })
      },
    },
  ]
}

function extension(oid: string) {
  return { oid, critical: false, value: Uint8Array.of(5, 0) }
}

function sendWith(bench: RefusalBench, { leaf, chain = [] }: Made) {
  const aik_cert_chain = chain.map(({ der }) => toBase64Url(der))
  return bench.request({
    tamper: withEvidence(() => ({ aik_cert: toBase64Url(leaf), aik_cert_chain })),
  })
}
