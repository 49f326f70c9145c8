import type { KeyObject } from 'node:crypto'
import { z } from 'zod'
import { fromBase64Url, fromUtf8, toBase64Url, toUtf8 } from '../base/encoding.ts'
import { err, ok, type Result } from '../base/result.ts'
import { type AttestationRequestOptions, makeAttestationRequest } from './attestation-request.ts'
import { makeDpopProof } from './dpop-proof.ts'
import {
  type AgentFailure,
  type AgentStep,
  ServiceClient,
  type ServiceClientOptions,
} from './service-client.ts'
import type { VirtualDevice } from './virtual-device.ts'

const ATTEST_PATH = '/attest/Tpm?api-version=2025-06-01'
const SUBMISSION_PATH = '/v1/attestations'
/** As Azure Attestation's; shorter than any hash that a quote binds a request key by. */
const CHALLENGE_BYTES = 16
const METADATA = { os_ver: '10.0.26200.9818.amd64fre.ge_release.240331-1435.Enterprise' }

const challengeAnswer = z.object({
  nonce: z.string().min(1),
  expires_at: z.iso.datetime(),
  device_id: z.string(),
})

const enrolmentAnswer = z.object({
  credential_blob: z.string(),
  encrypted_secret: z.string(),
  ticket: z.string(),
})

const activationAnswer = z.object({
  device_id: z.string(),
  aik_cert: z.string(),
  expires_at: z.iso.datetime(),
})

const envelope = z.object({ data: z.string() })
const initAnswer = z.object({
  payload: z.object({ challenge: z.string(), service_context: z.string() }),
})
const reportAnswer = z.object({ payload: z.object({ report: z.string() }) })

const reasonAnswer = z.object({
  code: z.string(),
  title: z.string().optional(),
  repair: z.string().optional(),
})

const submissionAnswer = z.object({
  attestation_id: z.string(),
  device_id: z.string(),
  verdict: z.string(),
  reasons: z.array(reasonAnswer),
  device_token: z.string(),
  token_type: z.literal('DPoP'),
  expires_at: z.iso.datetime(),
  next_attestation_at: z.iso.datetime(),
  valid_until: z.iso.datetime(),
})

/** What a service says of a key that it has enrolled. */
export type AgentEnrolment = z.infer<typeof activationAnswer>

/** The service's nonce for one attestation of this device. */
export type AgentChallenge = z.infer<typeof challengeAnswer>

/** The service's answer to an attestation that it has recorded, as it stands on the wire. */
export type AgentAttestation = z.infer<typeof submissionAnswer>

export type AgentOptions = Omit<ServiceClientOptions, 'baseUrl'> & {
  readonly device: VirtualDevice
  readonly baseUrl: string
  readonly now?: () => Date
  /** Version of the request message; 2 unless told otherwise. */
  readonly requestVersion?: AttestationRequestOptions['version']
  readonly binding?: AttestationRequestOptions['binding']
}

/**
 * The program on a device that keeps it attested: takes a nonce, has the evidence turned into an
 * attestation token, and hands that in with a proof of its key. Each step can be taken alone.
 */
export class AttestationAgent {
  device: VirtualDevice
  readonly #client: ServiceClient
  readonly #options: AgentOptions

  constructor(options: AgentOptions) {
    this.#options = options
    this.device = options.device
    this.#client = new ServiceClient(options)
  }

  /** All steps: the answer, or the failure of the first step that failed. */
  async attest(): Promise<Result<AgentAttestation, AgentFailure>> {
    const challenge = await this.requestChallenge()
    if (!challenge.ok) return challenge
    const token = await this.obtainToken(challenge.value.nonce)
    if (!token.ok) return token
    return await this.submitToken({ token: token.value, nonce: challenge.value.nonce })
  }

  /**
   * Proves the TPM by credential activation: from then on the device comes with the service's own
   * certificate of its attestation key.
   */
  async enrol(): Promise<Result<AgentEnrolment, AgentFailure>> {
    const { tpm, endorsementCertificate } = this.device
    if (endorsementCertificate === null) throw new TypeError('the TPM has no endorsement key')
    const asked = {
      ek_certificate: toBase64Url(endorsementCertificate),
      ak_public: toBase64Url(tpm.attestationKeyPublic),
    }
    const begun = await this.#post('enrolment', '/v1/enrolments', asked, enrolmentAnswer)
    if (!begun.ok) return begun
    const secret = tpm.activateCredential({
      credentialBlob: fromBase64Url(begun.value.credential_blob) ?? new Uint8Array(),
      encryptedSecret: fromBase64Url(begun.value.encrypted_secret) ?? new Uint8Array(),
    })
    const answer = { ticket: begun.value.ticket, secret: toBase64Url(secret) }
    const path = '/v1/enrolments/activate'
    const enrolled = await this.#post('activation', path, answer, activationAnswer)
    if (!enrolled.ok) return enrolled
    const attestationCertificate = fromBase64Url(enrolled.value.aik_cert) ?? null
    this.device = { ...this.device, attestationCertificate }
    return enrolled
  }

  async #post<T>(
    step: AgentStep,
    path: string,
    body: unknown,
    schema: z.ZodType<T>,
  ): Promise<Result<T, AgentFailure>> {
    const answer = await this.#client.post({ step, path, body, repeatable: step === 'enrolment' })
    return answer.ok ? shape(schema, answer.value, step) : answer
  }

  async requestChallenge(): Promise<Result<AgentChallenge, AgentFailure>> {
    const step = 'challenge'
    const body = { device_key: this.device.deviceKey }
    const answer = await this.#client.post({ step, path: '/v1/challenge', body, repeatable: true })
    return answer.ok ? shape(challengeAnswer, answer.value, step) : answer
  }

  /**
   * Azure Attestation's TPM protocol, both exchanges: an attestation token that holds `nonce`. A
   * service context serves one request, so all of it begins anew after an answer that was lost, and
   * after one that came late and says that the request is not good: an earlier try may have used it up.
   */
  async obtainToken(nonce: string): Promise<Result<string, AgentFailure>> {
    const maxAttempts = this.#options.maxAttempts ?? 4
    for (let attempt = 1; ; attempt += 1) {
      const token = await this.#tryToken(nonce)
      if (token.ok || attempt >= maxAttempts || !isAnswerLost(token.failure)) return token
    }
  }

  async #tryToken(nonce: string): Promise<Result<string, AgentFailure>> {
    const init = await this.#exchange('init', { type: 'aikcert' })
    if (!init.ok) return init
    const opened = shape(initAnswer, init.value, 'init')
    if (!opened.ok) return opened
    const { challenge, service_context: serviceContext } = opened.value.payload
    const bytes = fromBase64Url(challenge)
    // A TPM that signs whatever it is given says anything: the hash over somebody else's key too.
    if (bytes?.length !== CHALLENGE_BYTES) {
      return malformed('init', `challenge is not base64url of ${CHALLENGE_BYTES} bytes`)
    }

    const request = await makeAttestationRequest({
      device: this.device,
      version: this.#options.requestVersion ?? 2,
      binding: this.#options.binding ?? 'quote',
      challenge: bytes,
      serviceContext,
      rpId: this.#client.baseUrl,
      rpData: nonce,
    })
    const report = await this.#exchange('request', { request })
    if (!report.ok) return report
    const token = shape(reportAnswer, report.value, 'request')
    return token.ok ? ok(token.value.payload.report) : token
  }

  /** Hands in an attestation token. `key` proves possession; the device's request key by default. */
  async submitToken(input: {
    readonly token: string
    readonly nonce: string
    readonly key?: KeyObject
  }): Promise<Result<AgentAttestation, AgentFailure>> {
    const step = 'submission'
    const proof = await makeDpopProof({
      key: input.key ?? this.device.requestKey,
      method: 'POST',
      url: `${this.#client.baseUrl}${SUBMISSION_PATH}`,
      nonce: input.nonce,
      now: this.#options.now?.() ?? new Date(),
      chance: this.device.chance,
    })
    const answer = await this.#client.post({
      step,
      path: SUBMISSION_PATH,
      body: { token: input.token },
      // The same proof each time: by it the service knows what it has recorded, and answers again.
      headers: { DPoP: proof },
      repeatable: true,
    })
    return answer.ok ? shape(submissionAnswer, answer.value, step) : answer
  }

  /** One exchange of the TPM protocol in its outer envelope. */
  async #exchange(
    step: 'init' | 'request',
    payload: Readonly<Record<string, string>>,
  ): Promise<Result<unknown, AgentFailure>> {
    const data = toBase64Url(toUtf8(JSON.stringify({ payload, metadata: METADATA })))
    const sent = await this.#client.post({
      step,
      path: ATTEST_PATH,
      body: { data },
      repeatable: step === 'init',
    })
    if (!sent.ok) return sent
    const answer = shape(envelope, sent.value, step)
    if (!answer.ok) return answer
    const text = fromUtf8(fromBase64Url(answer.value.data) ?? new Uint8Array())
    try {
      return ok(JSON.parse(text ?? ''))
    } catch {
      return malformed(step, 'data is not base64url of JSON')
    }
  }
}

/** Whether the request may have been answered all the same, by an answer that never came. */
function isAnswerLost(failure: AgentFailure): boolean {
  const { reason, step } = failure
  const isLost = reason === 'agent_service_unreachable' || reason === 'agent_request_timeout'
  const isLate = reason === 'agent_request_refused' && failure.tries > 1
  return (isLost || isLate) && step === 'request'
}

function shape<T>(schema: z.ZodType<T>, json: unknown, step: AgentStep): Result<T, AgentFailure> {
  const parsed = schema.safeParse(json)
  return parsed.success ? ok(parsed.data) : malformed(step, z.prettifyError(parsed.error))
}

function malformed(step: AgentStep, detail: string): Result<never, AgentFailure> {
  return err({ reason: 'agent_answer_malformed', step, detail })
}
