import type { DeviceTokenFailure } from '../../access/device-token.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { ProofFailure } from '../../evidence/jws/confirmation.ts'
import type { PurposeKeys } from '../../keys/sealing.ts'
import { type DpopFailure, verifyDpop } from '../../oauth/dpop.ts'
import type { Store } from '../../store/store.ts'
import type { VerifyDeviceToken } from '../decide/question.ts'
import type { SignInFailure } from './find-sign-in.ts'
import { readSignInName } from './sign-in-name.ts'
import { sealTicket } from './ticket.ts'

export type ProveDeviceDependencies = {
  readonly store: Pick<Store, 'noteProvenDevice'>
  readonly verifyDeviceToken: VerifyDeviceToken
  readonly ticketKeys: PurposeKeys
  readonly clockSkewSeconds: number
  readonly clock: () => Date
}

/** What an agent hands in for a sign-in. Nothing of it is verified. */
export type DeviceProof = {
  readonly signInId: string
  readonly deviceToken: string
  /** The header `DPoP`. */
  readonly proof: string | undefined
  readonly url: string
}

export type DeviceProofFailure = DeviceTokenFailure | DpopFailure | ProofFailure | SignInFailure

/**
 * Takes the proof of a device for a sign-in: a device token of ours, and a DPoP proof (RFC 9449 §7) that the
 * key made which the token is bound to, for this token, this URL and, as its nonce, this sign-in. Whether the
 * device is trusted nobody asks here, and the sign-in is not over: the ticket has to come back in the
 * browser that began it.
 */
export async function proveDevice(
  dependencies: ProveDeviceDependencies,
  { signInId, deviceToken, proof, url }: DeviceProof,
): Promise<Result<string, DeviceProofFailure>> {
  const { store, verifyDeviceToken, ticketKeys, clock, clockSkewSeconds } = dependencies
  const name = readSignInName(signInId)
  if (name === undefined) return err({ reason: 'sign_in_unknown' })
  const now = clock()
  if (now >= name.expiresAt) return err({ reason: 'sign_in_expired' })
  const token = await verifyDeviceToken(deviceToken)
  if (!token.ok) return token
  const proven = await verifyDpop(
    { header: proof, method: 'POST', url },
    { token: { text: deviceToken, boundTo: token.value.confirmationKey }, now, clockSkewSeconds },
  )
  if (!proven.ok) return proven
  if (proven.value.nonce !== signInId) {
    const expected = 'the id of the sign-in'
    return err({ reason: 'proof_nonce_mismatch', member: 'dpop.nonce', expected })
  }
  // A repeated proof gets another ticket of the same worth: it is for one sign-in, and that ends once.
  const isWaiting = await store.noteProvenDevice({ ...name, at: now })
  if (!isWaiting) return err({ reason: 'sign_in_unknown' })
  const { deviceId } = token.value
  return ok(sealTicket(ticketKeys, { deviceId, deviceToken }, signInId))
}
