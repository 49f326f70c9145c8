import { privateJwk } from '../../../simulator/fixed-keys.ts'
import { keysOfDevice } from '../fixed-device.ts'
import { ATTEST_PATH, TRYING_RUN } from '../refusal-bench.ts'
import { type RefusalPlan, SIGNED } from './plan.ts'

/** The envelope, the message in it, and the JWS in that. */
export const MESSAGE_REFUSALS: readonly RefusalPlan[] = [
  {
    name: 'api-version-missing',
    changed: 'The query has no api-version.',
    ...{ status: 400, code: 'api_version_missing' },
    where: { member: 'api-version' },
    send: (bench) => bench.post('/attest/Tpm', { data: 'e30' }),
  },
  {
    name: 'api-version-unsupported',
    changed: 'The api-version is one that the service does not know.',
    ...{ status: 400, code: 'api_version_unsupported' },
    where: { member: 'api-version' },
    send: (bench) => bench.post('/attest/Tpm?api-version=2019-01-01', { data: 'e30' }),
  },
  {
    name: 'data-missing',
    changed: 'The envelope has no data.',
    ...{ status: 400, code: 'message_member_missing' },
    where: { member: 'body.data' },
    send: (bench) => bench.post(ATTEST_PATH, {}),
  },
  {
    name: 'data-not-base64',
    changed: 'data is not base64.',
    ...{ status: 400, code: 'message_encoding_invalid' },
    where: { member: 'body.data' },
    send: (bench) => bench.post(ATTEST_PATH, { data: '{}' }),
  },
  {
    name: 'message-not-json',
    changed: 'data decodes to what is not JSON.',
    ...{ status: 400, code: 'json_malformed' },
    where: { member: 'message', offset: 1 },
    send: (bench) => bench.post(ATTEST_PATH, { data: 'ew' }),
  },
  {
    name: 'request-not-compact',
    changed: 'request has two parts and not three.',
    ...{ status: 400, code: 'request_jws_malformed' },
    where: { member: 'request' },
    send: (bench) =>
      bench.request({
        message: ({ payload }) => {
          return { payload: { request: payload.request.replace(/\.[^.]*$/, '') } }
        },
      }),
  },
  {
    name: 'request-algorithm',
    changed: 'The header of the request says RS256.',
    ...{ status: 400, code: 'request_algorithm_unsupported' },
    where: { member: 'request.header.alg' },
    send: (bench) => bench.request({ tamper: { header: (it) => ({ ...it, alg: 'RS256' }) } }),
  },
  {
    name: 'request-type',
    changed: 'typ in the header of the request is JWT.',
    ...{ status: 400, code: 'request_type_unknown' },
    where: { member: 'request.header.typ' },
    send: (bench) => bench.request({ tamper: { header: (it) => ({ ...it, typ: 'JWT' }) } }),
  },
  {
    name: 'request-signature',
    changed: 'Another key has signed the request than the one in it.',
    ...{ status: 400, code: 'request_signature_invalid' },
    where: { member: 'request' },
    send: (bench) => bench.request({ tamper: { key: keysOfDevice('v2-basic').request } }),
  },
  {
    name: 'member-twice',
    changed: 'The payload has att_type twice.',
    ...{ status: 400, code: 'json_duplicate_member' },
    where: { member: 'request', offset: 18 },
    send: (bench) =>
      bench.request({
        tamper: { payload: (text) => text.replace('{', '{"att_type":"vbs",') },
      }),
  },
  {
    name: 'request-key-private',
    changed: 'The request key comes with its private half.',
    ...{ status: 400, code: 'jwk_private' },
    where: { member: `${SIGNED}.request_key.jwk.d` },
    send: (bench) =>
      bench.request({
        tamper: {
          data: (data) => ({
            ...data,
            request_key: {
              jwk: privateJwk(keysOfDevice(TRYING_RUN).request),
              info: { tpm_quote: { hash_alg: 'sha-256' } },
            },
          }),
        },
      }),
  },
  {
    name: 'context-expired',
    changed: 'The request comes 301 seconds after the answer to the first message.',
    ...{ status: 400, code: 'context_expired' },
    where: { member: `${SIGNED}.service_context` },
    send: (bench) => bench.request({ later: 301 }),
  },
  {
    name: 'context-of-another-challenge',
    changed: 'The service context is the one of another first message.',
    ...{ status: 400, code: 'context_challenge_mismatch' },
    where: { member: `${SIGNED}.challenge` },
    async send(bench) {
      const { serviceContext } = await bench.open()
      return bench.request({ serviceContext })
    },
  },
  {
    name: 'context-used-twice',
    changed: 'The request of the run v2-vbs is sent again.',
    ...{ status: 400, code: 'context_spent' },
    where: { member: `${SIGNED}.service_context` },
    send: (bench) => bench.send(bench.exchangeOf('request').request),
  },
  {
    name: 'v1-basic',
    changed: 'Version 1 without an enclave report: nothing binds the request key.',
    ...{ status: 400, code: 'legacy_request_key_unbound' },
    where: { member: 'request.att_data.attest_key' },
    send: (bench) => bench.request({ version: 1, withoutEnclave: true }),
  },
]
