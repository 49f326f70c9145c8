import {
  BREAK_GLASS_ALGORITHM,
  BREAK_GLASS_TYPE,
  decodeBreakGlass,
  encodeBreakGlass,
} from '../../src/access/break-glass/token.ts'
import { parseDeviceKey } from '../../src/access/device-id.ts'
import { parseEvaluation } from '../../src/access/evaluation-request.ts'
import { parseEvaluations } from '../../src/access/evaluations-request.ts'
import { readLanguages } from '../../src/access/language.ts'
import { parseSearch, SEARCHES } from '../../src/access/search-request.ts'
import { readAiaPlace } from '../../src/aia/hosts.ts'
import { readAttestationClaims } from '../../src/appraisal/read-claims.ts'
import { parseReferenceValues } from '../../src/appraisal/reference-values.ts'
import { readAnswer } from '../../src/azure/answer.ts'
import { readPolicyText } from '../../src/azure/provider-policy/policy-text.ts'
import { readPolicyToken } from '../../src/azure/provider-policy/policy-token.ts'
import { toBase64Url } from '../../src/base/encoding.ts'
import { parseJson } from '../../src/base/json/parse.ts'
import { readJsonTree } from '../../src/base/json/tree.ts'
import { decodeCompactJws, parseJsonObject } from '../../src/evidence/jws/compact-jws.ts'
import { readConfirmationKey } from '../../src/evidence/jws/confirmation-key.ts'
import { normalizeHttpTarget } from '../../src/evidence/jws/http-target.ts'
import { openNonce } from '../../src/evidence/nonce.ts'
import { decodeAttestationToken } from '../../src/evidence/token/attestation-token-kind.ts'
import { parsePemBundle } from '../../src/evidence/x509/certificate.ts'
import { BASELINE_POLICY } from '../../src/policy/document/baseline.ts'
import { compilePolicy } from '../../src/policy/document/compile.ts'
import { compileExpression } from '../../src/policy/language/expression.ts'
import { lintPolicy } from '../../src/policy/lint/lint.ts'
import { lintReferenceValues } from '../../src/policy/lint/reference-values.ts'
import { readRequest } from '../../src/store/drivers/guest-protocol.ts'
import { readAttestMessage } from '../../src/verifier/protocol/attest-message.ts'
import { readAttestRequest } from '../../src/verifier/protocol/attest-request.ts'
import { readAgentMessage } from '../../src/verifier/protocol/protocol.ts'
import { readRequestJws } from '../../src/verifier/protocol/request-jws.ts'
import { openServiceContext } from '../../src/verifier/protocol/service-context.ts'
import type { Target } from './fuzz.ts'
import { members, texts } from './real.ts'

const NOW = new Date('2026-06-01T00:00:00Z')
const SECRET = new Uint8Array(32).fill(7)

/** A parser of text; its input arrives as bytes of which it may make what UTF-8 makes of them. */
function ofText(name: string, seeds: readonly string[], parse: (text: string) => unknown): Target {
  return {
    name,
    seeds: seeds.map((seed) => Buffer.from(seed)),
    parse: (bytes) => parse(Buffer.from(bytes).toString('utf8')),
  }
}

/** A parser that answers a plain value, and `undefined` for what is not acceptable. */
function answered(parse: (text: string) => unknown): (text: string) => unknown {
  return (text) => {
    const value = parse(text)
    return value === undefined ? undefined : { ok: true, value }
  }
}

/** A parser of what JSON has made of a text; a text that is not JSON is not its business. */
function ofJson(
  name: string,
  seeds: readonly unknown[],
  parse: (json: unknown) => unknown,
): Target {
  const written = seeds.map((seed) => JSON.stringify(seed))
  return ofText(name, written, (text) => {
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch {
      return undefined
    }
    return parse(json)
  })
}

/** Parsers of text, begun from real tokens, messages and documents, and from our own where none are. */
export function textTargets(requests: readonly string[]): readonly Target[] {
  return [
    ...tokenTargets(),
    ...protocolTargets(requests),
    ...decisionTargets(),
    ...documentTargets(),
    ...azureTargets(),
    ofText(
      'PEM bundle',
      texts('certs/gce-leaf/*.pem', 'certs/tpm-vendors/roots.pem'),
      parsePemBundle,
    ),
  ]
}

function jws(header: string, payload: string): string {
  return `${toBase64Url(Buffer.from(header))}.${toBase64Url(Buffer.from(payload))}.AAAA`
}

const BREAK_GLASS = {
  ...{ jti: `bgl_${'a'.repeat(26)}`, iss: 'security desk', aud: 'https://countersign.example' },
  ...{ sub: '*', reason: 'nothing else answers', iat: 1_790_000_000, exp: 1_790_003_600 },
}

function breakGlass(payload: string): string {
  const header = { alg: BREAK_GLASS_ALGORITHM, kid: 'k', typ: BREAK_GLASS_TYPE }
  const one = { protected: toBase64Url(Buffer.from(JSON.stringify(header))), signature: 'AA' }
  return encodeBreakGlass({ payload: toBase64Url(Buffer.from(payload)), signatures: [one] })
}

function tokenTargets(): readonly Target[] {
  const tokens = texts('maa/tokens/*.jwt').map((text) => text.trim())
  const payloads = tokens.map((text) =>
    Buffer.from(text.split('.')[1] ?? '', 'base64url').toString('utf8'),
  )
  const header = '{"alg":"RS256","typ":"JWT","kid":"k"}'
  const keys = [
    { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43) },
    { kty: 'RSA', n: 'A'.repeat(342), e: 'AQAB' },
  ]
  return [
    ofText('compact JWS', tokens, decodeCompactJws),
    ofText('attestation token', tokens, decodeAttestationToken),
    ofText('payload of an attestation token', payloads, (payload) => {
      const token = decodeAttestationToken(jws(header, payload))
      return token.ok ? readAttestationClaims(token.value.payload) : token
    }),
    ofText('JSON object', payloads, parseJsonObject),
    ofText('JSON of any kind', payloads, answered(parseJson)),
    ofText(
      'target of a proof',
      ['https://trust.example:443/v1/%41/../b?c#d'],
      answered(normalizeHttpTarget),
    ),
    ofJson(
      'request of a guest',
      [{ id: 1, sql: 'select 1', params: [], asArrays: false }],
      readRequest,
    ),
    ofJson('confirmation key', keys, readConfirmationKey),
    ofText('break-glass token', [breakGlass(JSON.stringify(BREAK_GLASS))], decodeBreakGlass),
    ofText('payload of a break-glass token', [JSON.stringify(BREAK_GLASS)], (payload) =>
      decodeBreakGlass(breakGlass(payload)),
    ),
    {
      name: 'nonce',
      seeds: [new Uint8Array(45).fill(1)],
      parse: (nonce) => openNonce({ secrets: [SECRET], deviceKey: SECRET, nonce, now: NOW }),
    },
  ]
}

function protocolTargets(requests: readonly string[]): readonly Target[] {
  const bodies = texts('maa/tpm-protocol/*.json')
  const envelope = (text: string) => JSON.stringify({ data: toBase64Url(Buffer.from(text)) })
  const messages = [
    '{"payload":{"type":"aikcert"}}',
    ...requests.map((request) => JSON.stringify({ payload: { request } })),
  ]
  const parts = requests.map((request) =>
    request.split('.').map((part) => Buffer.from(part, 'base64url').toString('utf8')),
  )
  return [
    ofText('JSON with its places', [...bodies, ...messages], (text) =>
      readJsonTree(text, { maxDepth: 16, repeatedMembers: 'refuse' }),
    ),
    ofText('body of an agent', messages.map(envelope), readAgentMessage),
    ofText('message of an agent', messages, (text) => readAgentMessage(envelope(text))),
    ofText('message read whole', messages, (text) =>
      readAttestMessage({ body: envelope(text), apiVersion: '2025-06-01' }),
    ),
    ofText('request JWS', requests, readRequestJws),
    ...(['attReq', 'attReqV2'] as const).map((typ) =>
      ofText(
        `payload of ${typ}`,
        parts.map(([, payload = '']) => payload),
        (payload) => {
          const request = readRequestJws(jws(JSON.stringify({ alg: 'PS256', typ }), payload))
          return request.ok ? readAttestRequest(request.value) : request
        },
      ),
    ),
    ofText('service context', members('maa/tpm-protocol/*.json', 'service_context'), (text) =>
      openServiceContext({ text, challenge: SECRET, keys: [SECRET], now: NOW }),
    ),
    ofText('device key', [Buffer.alloc(32).toString('base64')], parseDeviceKey),
    ofText(
      'place of a certificate',
      ['azcsprod*aikpublish.blob.core.windows.net', 'www.nuvoton.com/security/'],
      readAiaPlace,
    ),
  ]
}

function decisionTargets(): readonly Target[] {
  const question = {
    subject: { type: 'user', id: 'a', properties: { device_id: 'dev_x' } },
    action: { name: 'signin', properties: {} },
    resource: { type: 'application', id: 'payroll' },
    context: { language: 'de', n: 1e300, deep: [[[{}]]] },
  }
  const { tests = [] } = Object(JSON.parse(texts('authzen/oidf-scenarios.json')[0] ?? '{}'))
  const real: unknown[] = tests.map((one: unknown) => Object(Object(one).request).json ?? {})
  return [
    ofJson('AuthZEN evaluation', [question, ...real], parseEvaluation),
    ofJson(
      'AuthZEN evaluations',
      [{ ...question, evaluations: [{}, {}] }, ...real],
      parseEvaluations,
    ),
    ...SEARCHES.map((kind) =>
      ofJson(
        `AuthZEN search for a ${kind}`,
        [{ ...question, page: { limit: 2 } }, ...real],
        (json) => parseSearch(kind, json),
      ),
    ),
    ofText('Accept-Language', ['de-AT, en;q=0.5, *;q=0', 'zh-Hant-TW'], (text) => ({
      ok: true,
      value: readLanguages(text),
    })),
  ]
}

function documentTargets(): readonly Target[] {
  const expressions = BASELINE_POLICY.clauses.flatMap(({ when, require }) =>
    when === undefined ? [require] : [when, require],
  )
  const celFile = texts('cel/{string,timestamps,comparisons,macros,integer_math}.json')
  const official = celFile.flatMap((text) => [...text.matchAll(/"expr":\s*("(?:[^"\\]|\\.)*")/g)])
  const cases = official.map(([, literal = '""']) => String(JSON.parse(literal)))
  const values = { enclaves: [{ name: 'a', author_id: 'A'.repeat(43), minimum_svn: 1 }] }
  const asResult = (value: unknown) => ({ ok: true, value })
  return [
    ofText('CEL expression', [...expressions, ...cases.slice(0, 400)], (source) => {
      const compiled = compileExpression(source)
      return compiled.ok ? asResult(undefined) : compiled
    }),
    ofJson('policy', [BASELINE_POLICY], compilePolicy),
    ofJson('reference values', [values], parseReferenceValues),
    ofText('text of a policy', [JSON.stringify(BASELINE_POLICY, undefined, 1)], (text) =>
      asResult(lintPolicy(text, { now: NOW }).findings),
    ),
    ofText('text of reference values', [JSON.stringify(values)], (text) =>
      asResult(lintReferenceValues(text, { now: NOW }).findings),
    ),
  ]
}

function azureTargets(): readonly Target[] {
  const answers = members('maa/tpm-protocol/*.json', 'response', 'data')
  const policies = texts('maa/policy/*.txt')
  return [
    ofText(
      'answer of a provider',
      answers.map((data) => JSON.stringify({ data })),
      (text) => readAnswer(text, 'challenge'),
    ),
    ofText('policy of a provider', policies, readPolicyText),
    ofText(
      'policy token',
      [
        `${toBase64Url(Buffer.from('{"alg":"none"}'))}.${toBase64Url(Buffer.from(JSON.stringify({ AttestationPolicy: toBase64Url(Buffer.from(policies[0] ?? '')) })))}.`,
      ],
      readPolicyToken,
    ),
  ]
}
