import { createHash, type KeyObject } from 'node:crypto'
import { z } from 'zod'
import { toBase64Url } from '../base/encoding.ts'
import { err, ok, type Result } from '../base/result.ts'
import { CHANCE, type Chance } from './chance.ts'
import { makeDpopProof } from './dpop-proof.ts'
import { type AgentFailure, ServiceClient, type ServiceClientOptions } from './service-client.ts'

/** Ids of sign-ins: what else a page or a link hands over is none. */
const SIGN_IN_ID = /^sin_[a-z2-7]{32}_[0-9a-z]{6,8}$/
const LINK = /^countersign:sign-in\/([a-z0-9_]{1,64})$/

const proofAnswer = z.object({ ticket: z.string().min(1), continue_url: z.url() })

/** What the service gives for a proof: for the browser of this machine, and for nobody else. */
export type ProvenSignIn = z.infer<typeof proofAnswer>

export type SignInAgentOptions = ServiceClientOptions & {
  /** The key that the device token is bound to. */
  readonly key: KeyObject
  /** As the service gave it for the last attestation. */
  readonly deviceToken: () => string
  readonly now?: () => Date
  readonly chance?: Chance
}

/** The id of a sign-in that a link asks to prove; `undefined` for any other text. */
export function readSignInLink(link: string): string | undefined {
  const [, id] = LINK.exec(link) ?? []
  return id !== undefined && SIGN_IN_ID.test(id) ? id : undefined
}

/**
 * The part of an agent that proves its device for a sign-in. It sends its token to its own service and nowhere
 * else: neither a page nor a link can name another.
 */
export async function proveSignIn(
  options: SignInAgentOptions,
  signInId: string,
): Promise<Result<ProvenSignIn, AgentFailure>> {
  const step = 'sign-in'
  if (!SIGN_IN_ID.test(signInId)) {
    return err({ reason: 'agent_answer_malformed', step, detail: 'no id of a sign-in' })
  }
  const client = new ServiceClient(options)
  const path = `/v1/sign-ins/${signInId}/proof`
  const token = options.deviceToken()
  const proof = await makeDpopProof({
    key: options.key,
    method: 'POST',
    url: client.baseUrl + path,
    nonce: signInId,
    ath: toBase64Url(createHash('sha256').update(token, 'latin1').digest()),
    now: options.now?.() ?? new Date(),
    chance: options.chance ?? CHANCE,
  })
  const headers = { authorization: `DPoP ${token}`, dpop: proof }
  const sent = await client.post({ step, path, body: {}, headers, repeatable: true })
  if (!sent.ok) return sent
  const answer = proofAnswer.safeParse(sent.value)
  // Whatever it says, the agent opens pages of its own service alone.
  const isOurs = answer.success && answer.data.continue_url.startsWith(`${client.baseUrl}/`)
  if (answer.success && isOurs) return ok(answer.data)
  return err({ reason: 'agent_answer_malformed', step, detail: 'no ticket for this service' })
}
