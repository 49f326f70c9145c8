import { generateKeyPairSync } from 'node:crypto'
import { toBase64Url } from '../../../../src/base/encoding.ts'
import { keysOfDevice } from '../../../../src/cli/vectors/fixed-device.ts'
import { VECTORS_NOW } from '../../../../src/cli/vectors/fixed-service.ts'
import type { RefusalBench } from '../../../../src/cli/vectors/refusal-bench.ts'
import { CURRENT } from '../../../../src/cli/vectors/refusals/plan.ts'
import { createAkAuthority } from '../../../../src/simulator/ak-authority.ts'
import { encodeTpmPublic } from '../../../../src/simulator/tpm-encoding.ts'
import type { RefusalCase } from './case.ts'

const RUN = 'enrolment'
const [BEGIN, ACTIVATE] = ['/v1/enrolments', '/v1/enrolments/activate']

function asked(bench: RefusalBench, step: 'enrolment' | 'activation'): Record<string, string> {
  return JSON.parse(bench.exchangeOf(step, RUN).request.body)
}

const begin = (change: (body: Record<string, string>) => object) => (bench: RefusalBench) =>
  bench.post(BEGIN, { ...asked(bench, 'enrolment'), ...change(asked(bench, 'enrolment')) })

/** Endorsement keys have no public area in the simulator: that of another key is wrong for sure. */
const otherPublic = () => {
  const area = encodeTpmPublic(keysOfDevice('v2-basic').request, true)
  return toBase64Url(area)
}

/** Enrolment by credential activation. */
export const ENROLMENT_CASES: readonly RefusalCase[] = [
  {
    ...{ reason: 'ak_public_malformed', tries: 'three bytes for a public area', status: 400 },
    where: { member: 'ak_public', offset: 0, structure: 'TPMT_PUBLIC.type' },
    send: begin(() => ({ ak_public: 'AQID' })),
  },
  {
    ...{ reason: 'ek_certificate_malformed', tries: 'the certificate in PEM', status: 400 },
    where: { member: 'ek_certificate' },
    send: begin(({ ek_certificate = '' }) => {
      const base64 = Buffer.from(ek_certificate, 'base64url').toString('base64')
      const pem = `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`
      return { ek_certificate: toBase64Url(Buffer.from(pem)) }
    }),
  },
  {
    ...{ reason: 'ek_public_mismatch', tries: 'the public area of another key', status: 422 },
    where: { member: 'ek_public' },
    send: begin(() => ({ ek_public: otherPublic() })),
  },
  {
    ...{ reason: 'ek_type_not_accepted', tries: 'RSA where only P-384 counts', status: 403 },
    where: { member: 'ek_certificate' },
    settings: { EK_KEY_TYPES: 'ecc-p384' },
    send: begin(() => ({})),
  },
  {
    ...{ reason: 'ticket_foreign', tries: 'text for a ticket', status: 400 },
    where: { member: 'ticket' },
    send: (bench) => bench.post(ACTIVATE, { ...asked(bench, 'activation'), ticket: 'AQID' }),
  },
  {
    ...{ reason: 'ticket_expired', tries: 'the ticket of the day before', status: 409 },
    where: { member: 'ticket' },
    send(bench) {
      bench.recorder.at = new Date(VECTORS_NOW.getTime() + 86_400_000)
      return bench.post(ACTIVATE, asked(bench, 'activation'))
    },
  },
]

/** A certificate of the service for a key whose maker it does not trust any more. */
export async function withdrawnCase(): Promise<RefusalCase> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const other = await createAkAuthority(VECTORS_NOW, privateKey)
  return {
    reason: 'enrolment_anchor_withdrawn',
    tries: 'a key that enrolled under a maker who counts no more',
    where: { member: `${CURRENT}.aik_cert` },
    settings: { EK_TRUST_ANCHORS: other.anchorPem },
    async send(bench) {
      const { device } = bench.run(RUN)
      return bench.request({ device })
    },
  }
}
