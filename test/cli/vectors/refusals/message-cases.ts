import { generateKeyPairSync } from 'node:crypto'
import { toBase64Url, toUtf8 } from '../../../../src/base/encoding.ts'
import {
  ATTEST_PATH,
  type RefusalBench,
  type RequestChanges,
} from '../../../../src/cli/vectors/refusal-bench.ts'
import { withEvidence } from '../../../../src/cli/vectors/refusals/evidence.ts'
import { CURRENT, SIGNED } from '../../../../src/cli/vectors/refusals/plan.ts'
import type { RequestData } from '../../../../src/simulator/attestation-request.ts'
import { sealServiceContext } from '../../../../src/verifier/protocol/service-context.ts'
import type { RefusalCase } from './case.ts'

const request = (changes: RequestChanges) => (bench: RefusalBench) => bench.request(changes)
const payload = (change: (text: string) => string) => request({ tamper: { payload: change } })
const data = (change: (data: RequestData) => object) => request({ tamper: { data: change } })
const header = (more: object) => request({ tamper: { header: (it) => ({ ...it, ...more }) } })

/** The request key, and how it says to be bound. */
const key = (jwk: object, info: object = { tpm_quote: { hash_alg: 'sha-256' } }) =>
  data((it) => ({ ...it, request_key: { jwk, info } }))

/** An attestation key that comes without a certificate. */
const aik = (jwk: object) =>
  request({ tamper: withEvidence(() => ({ aik_pub: jwk, aik_cert: undefined })) })

const n = (bytes: number, first = 0xc0) => {
  return toBase64Url(Uint8Array.from({ length: bytes }, (_, at) => (at === 0 ? first : 1)))
}

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })

/** The message, the JWS in it, its service context and its keys. */
export const MESSAGE_CASES: readonly RefusalCase[] = [
  {
    reason: 'message_too_large',
    tries: 'a header of 5000 bytes',
    where: { member: 'request' },
    send: header({ x: 'a'.repeat(5000) }),
  },
  {
    reason: 'message_member_too_long',
    tries: 'a long typ',
    where: { member: 'request.header.typ' },
    send: header({ typ: 'a'.repeat(65) }),
  },
  {
    reason: 'message_member_invalid',
    tries: 'a number for a text',
    where: { member: 'body.data' },
    send: (bench) => bench.post(ATTEST_PATH, { data: 1 }),
  },
  {
    reason: 'message_member_misplaced',
    tries: 'the log of version 1 in version 2',
    where: { member: `${SIGNED}.tpm_att_data.srtm_boot_log` },
    send: data((it) => ({ ...it, tpm_att_data: { ...it.tpm_att_data, srtm_boot_log: 'AQID' } })),
  },
  {
    reason: 'json_too_deep',
    tries: 'lists in lists',
    where: { member: 'request', offset: 21 },
    send: payload((text) => text.replace('{', `{"x":${'['.repeat(17)}${']'.repeat(17)},`)),
  },
  {
    reason: 'json_too_many_values',
    tries: 'a list of 5000 zeros',
    where: { member: 'request', offset: 8194 },
    send: payload((text) => text.replace('{', `{"x":[${'0,'.repeat(5000)}0],`)),
  },
  {
    reason: 'request_header_critical',
    tries: 'an extension',
    where: { member: 'request.header.crit' },
    send: header({ crit: ['x'] }),
  },
  {
    reason: 'context_malformed',
    tries: 'text for a service context',
    code: 'context_refused',
    send: request({ serviceContext: 'AQID' }),
  },
  {
    reason: 'context_foreign',
    tries: 'a service context of another service',
    code: 'context_refused',
    async send(bench) {
      const opened = await bench.open()
      const expiresAt = new Date('2027-01-01T00:00:00Z')
      const context = { challenge: opened.challenge, expiresAt }
      const [key, iv] = [new Uint8Array(32), new Uint8Array(12)]
      const serviceContext = sealServiceContext({ context, key, iv })
      return bench.answer(opened, { serviceContext })
    },
  },
  {
    reason: 'context_forged',
    tries: 'a service context with another life',
    code: 'context_refused',
    async send(bench) {
      const opened = await bench.open()
      const envelope = JSON.parse(Buffer.from(opened.serviceContext, 'base64url').toString())
      const sealed = Buffer.from(envelope.ProtectedContext, 'base64url')
      sealed[30] = (sealed[30] ?? 0) ^ 1
      const forged = { ...envelope, ProtectedContext: toBase64Url(sealed) }
      const serviceContext = toBase64Url(toUtf8(JSON.stringify(forged)))
      return bench.answer(opened, { serviceContext })
    },
  },
  {
    reason: 'context_rate_limited',
    tries: 'the third attestation of a minute in which one may attest twice',
    where: { member: `${SIGNED}.service_context` },
    status: 429,
    settings: { DEVICE_ATTESTATIONS_PER_MINUTE: '2' },
    async send(bench) {
      for (let attempt = 0; attempt < 2; attempt++) {
        await bench.request({ device: await bench.deviceAfter() })
      }
      return bench.request({ device: await bench.deviceAfter() })
    },
  },
  {
    reason: 'jwk_not_rsa',
    tries: 'a request key of P-256',
    where: { member: `${SIGNED}.request_key.jwk.kty` },
    send: key(ec),
  },
  {
    reason: 'tpm_key_malformed',
    tries: 'no modulus',
    where: { member: `${CURRENT}.aik_pub.n` },
    send: aik({ kty: 'RSA', e: 'AQAB' }),
  },
  {
    reason: 'tpm_key_unsupported',
    tries: 'another kind of key',
    where: { member: `${CURRENT}.aik_pub.kty` },
    send: aik({ kty: 'OKP' }),
  },
  {
    reason: 'tpm_key_weak',
    tries: 'an RSA key of 1024 bits',
    where: { member: `${CURRENT}.aik_pub.n` },
    send: aik({ kty: 'RSA', n: n(128), e: 'AQAB' }),
  },
  {
    reason: 'request_key_binding_ambiguous',
    tries: 'both ways to bind the request key',
    where: { member: `${SIGNED}.request_key.info` },
    send: (bench) =>
      data((it) => {
        if (!('request_key' in it)) throw new TypeError('not version 2')
        const { jwk } = it.request_key
        return { ...it, request_key: { jwk, info: { tpm_quote: {}, tpm_certify: {} } } }
      })(bench),
  },
]
