import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { expect } from 'vitest'
import { describeApi } from '../../src/http/openapi/document.ts'
import type { Json } from './json.ts'

/** One exchange of an agent with the service, as it stood on the wire. */
export type Exchange = {
  /** Without query. */
  readonly path: string
  readonly headers: Headers
  readonly body: string
  readonly status: number
  readonly answer: string
}

/** Ajv, which nobody here wrote, and which refuses schemas that are none themselves. */
const ajv = new Ajv2020({ strict: true, allErrors: true, strictRequired: false })
addFormats.default(ajv)
const DOCUMENT = 'https://countersign.example/openapi.json'
ajv.addVocabulary(['components'])
ajv.addSchema({ $id: DOCUMENT, components: describeApi().components })

const VALIDATORS = new Map<string, ValidateFunction>()

/** Ajv's reading of one schema of the OpenAPI document. */
export function validatorOf(name: string): ValidateFunction {
  const known = VALIDATORS.get(name)
  if (known !== undefined) return known
  const made = ajv.compile({ $ref: `${DOCUMENT}#/components/schemas/${name}` })
  VALIDATORS.set(name, made)
  return made
}

/** Fails with Ajv's words unless the value is what the document says of `name`. */
export function expectOfForm([name, value]: ApiMessage): void {
  const validate = validatorOf(name)
  const isValid = validate(value)
  expect(isValid, `${name}: ${ajv.errorsText(validate.errors)}`).toBe(true)
}

/** The name of a schema, and what has to be of it. */
export type ApiMessage = readonly [string, Json]

const text = (encoded: string) => Buffer.from(encoded, 'base64url').toString('utf8')
const json = (encoded: string): Json => JSON.parse(text(encoded))

/** Every message in an exchange, with those that stand inside others, by what the path calls for. */
export function messagesIn(exchange: Exchange): readonly ApiMessage[] {
  const sent: Json = JSON.parse(exchange.body)
  const got: Json = JSON.parse(exchange.answer)
  const isRefused = exchange.status >= 400
  switch (exchange.path) {
    case '/v1/challenge':
      return [
        ['ChallengeRequest', sent],
        [isRefused ? 'Problem' : 'Challenge', got],
      ]
    case '/attest/Tpm':
      return [
        ...insideRequest(sent),
        ...(isRefused ? [['AzureError', got] as const] : insideAnswer(got)),
      ]
    case '/v1/attestations':
      return [
        ['AttestationSubmission', sent],
        ...inside(exchange.headers.get('dpop') ?? '', 'ProofHeader', 'ProofClaims'),
        [isRefused ? 'Problem' : 'Attestation', got],
        ...(isRefused ? [] : inside(got.device_token, undefined, 'DeviceTokenClaims')),
      ]
    case '/v1/enrolments':
      return [
        ['EnrolmentRequest', sent],
        [isRefused ? 'Problem' : 'Enrolment', got],
      ]
    case '/v1/enrolments/activate':
      return [
        ['ActivationRequest', sent],
        [isRefused ? 'Problem' : 'Activation', got],
      ]
    default:
      return []
  }
}

function insideRequest(envelope: Json): readonly ApiMessage[] {
  const message = json(envelope.data)
  const { request } = message.payload
  const outer: ApiMessage[] = [
    ['AgentEnvelope', envelope],
    ['AgentMessage', message],
  ]
  if (request === undefined) return outer
  const { typ } = json(request.split('.')[0])
  const payload = typ === 'attReq' ? 'RequestPayloadV1' : 'RequestPayloadV2'
  return [...outer, ...inside(request, 'RequestHeader', payload)]
}

function insideAnswer(envelope: Json): readonly ApiMessage[] {
  const message = json(envelope.data)
  const { report } = message.payload
  if (report === undefined) {
    return [
      ['AnswerEnvelope', envelope],
      ['ChallengeMessage', message],
    ]
  }
  return [
    ['AnswerEnvelope', envelope],
    ['ReportMessage', message],
    ...inside(report, 'AttestationTokenHeader', 'AttestationTokenClaims'),
  ]
}

/** Header and payload of a compact JWS. */
function inside(jws: string, header: string | undefined, payload: string): readonly ApiMessage[] {
  const [head = '', claims = ''] = jws.split('.')
  return [...(header === undefined ? [] : [[header, json(head)] as const]), [payload, json(claims)]]
}
