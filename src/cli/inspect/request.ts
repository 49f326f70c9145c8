import { deviceIdOf } from '../../access/device-id.ts'
import { comparison, showKey } from '../../base/comparison.ts'
import { equalBytes } from '../../base/digest.ts'
import {
  fromBase64Url,
  toBase64,
  toBase64Url,
  toBase64UrlAlphabet,
  toUtf8,
} from '../../base/encoding.ts'
import { err, type Failure, ok, type Result } from '../../base/result.ts'
import { readTrustAnchors } from '../../config/trust-anchors.ts'
import { BUILT_IN_KINDS } from '../../verifier/kinds/built-in.ts'
import { type AikTrust, resolveAik } from '../../verifier/kinds/tpm/attestation-key.ts'
import { tpmEvidenceOf } from '../../verifier/kinds/tpm/tpm-evidence.ts'
import { type ReadRequest, readRequest } from '../../verifier/protocol/attest-message.ts'
import { type AgentMessage, readAgentMessage } from '../../verifier/protocol/protocol.ts'
import type { TraceStep } from '../../verifier/steps/trace.ts'
import { walkRequest } from '../../verifier/steps/walk-request.ts'
import { verb } from '../framework/command.ts'
import { fields } from '../framework/fields.ts'
import {
  explainCompared,
  FINDING_EXITS,
  FINDING_JSON,
  type Finding,
  report,
  verdictOf,
} from '../framework/finding.ts'
import { option, required, text } from '../framework/options.ts'
import { printable } from '../framework/output.ts'
import { readJudgedText, readTextFile } from '../framework/read-file.ts'
import { UsageError } from '../framework/usage-error.ts'
import type { InspectionFailure } from './failure.ts'
import { whyUncheckable } from './request-certificate.ts'
import { hintAtDeviceKey, hintAtNonce, remarkOnLogs } from './request-hints.ts'

const DEVICE_KEY_BYTES = 32

const NONCE_UNCHECKED =
  'not checked: rp_data: only the service that made the nonce knows for which device key, and until when'

/** What the request is to be held against, besides what stands in it. */
type Given = {
  readonly deviceKey: Uint8Array | undefined
  readonly challenge: Uint8Array | undefined
  readonly trust: AikTrust | undefined
}

export const inspectRequest = verb({
  summary: 'a message of an agent to /attest/Tpm, step by step as the verifier takes them',
  about: `For whoever develops an agent: each step tells the values that it compared, and steps that do
not need the outcome of one that failed are taken all the same. No service is asked, so that what
only the service knows is told as unchecked: whether it made the challenge, and when, and whether
that was answered before.`,
  arguments: {
    file: required(
      text(
        'FILE',
        'the body, the message in its data, or the request (a JWS); - is standard input',
      ),
    ),
  },
  options: {
    deviceKey: option('BASE64', 'the device_key that /v1/challenge was asked for', readDeviceKey),
    challenge: option('BASE64', 'the challenge that the request has to answer', readBase64),
    anchors: option(
      'FILE',
      'who vouches for attestation keys, as in AK_TRUST_ANCHORS',
      readAnchors,
    ),
  },
  json: `${FINDING_JSON}: steps, each with its outcome, detail and compared`,
  exits: FINDING_EXITS,
  async run({ file, deviceKey, challenge, anchors, json }) {
    const { form, message } = readAny(readJudgedText(file))
    const given = { deviceKey, challenge, trust: anchors }
    const finding = {
      form,
      ...(message.ok ? await inspect(message.value, given) : refuse(message)),
    }
    return report(finding, { json, text: explain(finding) })
  },
})

function readDeviceKey(text: string, label: string): Uint8Array {
  const bytes = readBase64(text, label)
  if (bytes.length === DEVICE_KEY_BYTES) return bytes
  throw new UsageError(
    `${label} must be of ${DEVICE_KEY_BYTES} bytes, the SHA-256 of the attestation key, and not of ${bytes.length}`,
  )
}

function readBase64(text: string, label: string): Uint8Array {
  const bytes = fromBase64Url(toBase64UrlAlphabet(text))
  if (bytes === undefined) throw new UsageError(`${label} must be base64 or base64url`)
  return bytes
}

function readAnchors(path: string, label: string): AikTrust {
  try {
    return readTrustAnchors(readTextFile(path))
  } catch (error) {
    if (error instanceof UsageError || !(error instanceof Error)) throw error
    throw new UsageError(`${label}: ${path} ${error.message}`)
  }
}

/** Any of the three layers of a message, from the one that it begins with inwards. */
function readAny(text: string): {
  readonly form: string
  readonly message: Result<AgentMessage, Failure>
} {
  if (!text.startsWith('{')) {
    return { form: 'a request (JWS)', message: ok({ kind: 'request', request: text }) }
  }
  if (/^\{\s*"(?:payload|metadata)"/.test(text)) {
    const body = JSON.stringify({ data: toBase64Url(toUtf8(text)) })
    return { form: 'the message in data', message: readAgentMessage(body) }
  }
  return { form: 'the body of POST /attest/Tpm', message: readAgentMessage(text) }
}

async function inspect(message: AgentMessage, given: Given): Promise<Finding> {
  if (message.kind === 'init') {
    const remark = 'it is an initial message, which asks for a challenge and brings no evidence'
    return { verified: true, kind: 'init', remarks: [remark] }
  }
  const read = readRequest(message.request)
  return read.ok ? walk(read.value, given) : { kind: 'request', ...refuse(read) }
}

function refuse(result: Result<unknown, Failure>): Finding {
  return { ...verdictOf(result), remarks: [] }
}

async function walk(read: ReadRequest, { deviceKey, challenge, trust }: Given): Promise<Finding> {
  const { request, jws } = read
  const evidence = tpmEvidenceOf(request)
  const aik = evidence && (await resolveAik(evidence.current.aik))
  const named = aik?.ok ? aik.value.hash : undefined
  const now = new Date()
  const uncheckedCertificate = aik?.ok ? await whyUncheckable(aik.value, trust, now) : undefined
  const walked = await walkRequest(BUILT_IN_KINDS, read, {
    trust: uncheckedCertificate === undefined ? trust : undefined,
    uncheckedCertificate,
    now,
  })
  // What the agent was given comes first: a wrong one is why everything after it fails.
  const outcomes = [
    challenge === undefined ? ok(true) : checkChallenge(challenge, request.challenge),
    deviceKey === undefined || named === undefined ? ok(true) : checkDeviceKey(deviceKey, named),
    walked.failure === undefined ? ok(true) : err(walked.failure),
  ]
  return {
    ...verdictOf(outcomes.find((one) => !one.ok) ?? ok(true)),
    kind: 'request',
    version: jws.version,
    challenge: toBase64Url(request.challenge),
    rp_data: request.rpData && toBase64Url(request.rpData),
    request_key: showKey(request.requestKey.jwk),
    request_key_bound_by: request.requestKey.binding.kind,
    device_key: named && toBase64(named),
    device_id: named && deviceIdOf(named),
    steps: walked.trace,
    remarks: [
      ...(evidence ? hintAtNonce(request, evidence.current.statement.quote) : []),
      ...(deviceKey && aik?.ok ? await hintAtDeviceKey(aik.value, deviceKey) : []),
      ...(evidence ? remarkOnLogs(evidence) : []),
      ...remarksOn(walked.trace),
      ...(request.rpData === undefined ? [] : [NONCE_UNCHECKED]),
    ],
  }
}

function checkChallenge(expected: Uint8Array, found: Uint8Array): Result<true, InspectionFailure> {
  if (equalBytes(expected, found)) return ok(true)
  const compared = () => [comparison('challenge', expected, found)]
  return err({ reason: 'request_challenge_differs', compared })
}

function checkDeviceKey(expected: Uint8Array, found: Uint8Array): Result<true, InspectionFailure> {
  if (equalBytes(expected, found)) return ok(true)
  const what = 'device key: SHA-256 of the SubjectPublicKeyInfo of the attestation key'
  const compared = () => [comparison(what, toBase64(found), toBase64(expected))]
  return err({ reason: 'request_device_key_differs', compared })
}

function remarksOn(steps: readonly TraceStep[]): string[] {
  return steps
    .filter(({ outcome }) => outcome === 'unchecked')
    .map(({ step, detail }) => `not checked: ${step}: ${detail}`)
}

function explain(finding: Finding): string {
  const { form, kind, version, steps, remarks: _, ...others } = finding
  const { challenge, rp_data, request_key, request_key_bound_by, device_key, device_id } = others
  const head = fields({
    'it is': form,
    'request version': version,
    challenge,
    rp_data,
    'request key': request_key,
    'is bound by': request_key_bound_by,
    'device key': device_key,
    'device id': device_id,
  })
  if (!Array.isArray(steps)) return head
  return `${head}\nSteps\n${steps.map(explainStep).join('')}`
}

function explainStep({ step, outcome, detail, compared = [] }: TraceStep): string {
  const said = outcome === 'unchecked' || detail === '' ? '' : `: ${printable(detail)}`
  return `  ${outcome.padEnd(9)}  ${step}${said}\n${explainCompared(compared, '             ')}`
}
