import { keysOfDevice } from '../fixed-device.ts'
import { VECTORS_NOW, VECTORS_URL } from '../fixed-service.ts'
import { SUBMISSION_PATH } from '../refusal-bench.ts'
import type { RefusalPlan } from './plan.ts'

const secondsFrom = (now: Date, seconds: number) => new Date(now.getTime() + seconds * 1000)

/** The challenge, the token and the proof of possession. */
export const SUBMISSION_REFUSALS: readonly RefusalPlan[] = [
  {
    name: 'device-key-in-hex',
    changed: 'device_key is in hex and not in base64.',
    ...{ status: 400, code: 'request_malformed', where: { member: 'device_key' } },
    send: (bench) => {
      const key = Buffer.from(bench.run().device.deviceKey, 'base64').toString('hex')
      return bench.post('/v1/challenge', { device_key: key })
    },
  },
  {
    name: 'proof-missing',
    changed: 'The submission has no DPoP header.',
    ...{ status: 401, code: 'proof_missing' },
    where: { member: 'dpop' },
    send: (bench) => bench.submit({}),
  },
  {
    name: 'proof-by-another-key',
    changed: 'Another key has made the proof than the request key.',
    ...{ status: 401, code: 'proof_key_mismatch' },
    where: { member: 'dpop.jwk' },
    async send(bench) {
      const { request: key } = keysOfDevice('v2-basic')
      return bench.submit({ proof: await bench.proof({ key }) })
    },
  },
  {
    name: 'proof-for-another-url',
    changed: 'htu of the proof is the URL of /attest/Tpm.',
    ...{ status: 401, code: 'proof_url_mismatch' },
    where: { member: 'dpop.htu' },
    async send(bench) {
      return bench.submit({ proof: await bench.proof({ url: `${VECTORS_URL}/attest/Tpm` }) })
    },
  },
  {
    name: 'proof-for-another-nonce',
    changed: 'The nonce of the proof is the one of another challenge.',
    ...{ status: 401, code: 'proof_nonce_mismatch' },
    where: { member: 'dpop.nonce' },
    async send(bench) {
      const other = bench.exchangeOf('challenge', 'v2-basic').answer.body as { nonce: string }
      return bench.submit({ proof: await bench.proof({ nonce: other.nonce }) })
    },
  },
  {
    name: 'proof-dated-ahead',
    changed: 'iat of the proof is 61 seconds ahead of the service.',
    ...{ status: 401, code: 'proof_issued_in_future' },
    where: { member: 'dpop.iat' },
    async send(bench) {
      return bench.submit({ proof: await bench.proof({ now: secondsFrom(VECTORS_NOW, 61) }) })
    },
  },
  {
    name: 'proof-dated-back',
    changed: 'iat of the proof is 661 seconds behind the service.',
    ...{ status: 401, code: 'proof_too_old' },
    where: { member: 'dpop.iat' },
    async send(bench) {
      return bench.submit({ proof: await bench.proof({ now: secondsFrom(VECTORS_NOW, -661) }) })
    },
  },
  {
    name: 'token-altered',
    changed: 'The claims of the token are those of another run.',
    ...{ status: 401, code: 'token_signature_invalid' },
    where: { member: 'token' },
    async send(bench) {
      const body = JSON.parse(bench.exchangeOf('submission', 'v1-vbs').request.body)
      const [, claims = ''] = String(body.token).split('.')
      const token = bench.token.split('.').with(1, claims).join('.')
      return bench.submit({ token, proof: await bench.proof() })
    },
  },
  {
    name: 'nonce-expired',
    changed: 'The submission comes 301 seconds after the challenge.',
    ...{ status: 401, code: 'nonce_expired' },
    where: { member: 'token.nonce' },
    async send(bench) {
      const now = secondsFrom(VECTORS_NOW, 301)
      return bench.submit({ proof: await bench.proof({ now }), later: 301 })
    },
  },
  {
    name: 'nonce-used-twice',
    changed: 'The token of the run v2-vbs is handed in again, with another proof.',
    ...{ status: 409, code: 'nonce_spent' },
    async send(bench) {
      return bench.submit({ proof: await bench.proof() })
    },
  },
  {
    name: 'token-missing',
    changed: 'The submission has no token.',
    ...{ status: 400, code: 'request_malformed', where: { member: 'token' } },
    async send(bench) {
      return bench.post(SUBMISSION_PATH, {}, { dpop: await bench.proof() })
    },
  },
]
