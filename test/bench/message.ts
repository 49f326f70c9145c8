import { toBase64Url, toUtf8 } from '../../src/base/encoding.ts'
import { makeAttestationRequest } from '../../src/simulator/attestation-request.ts'
import type { VirtualDevice } from '../../src/simulator/virtual-device.ts'
import { CHALLENGE_BYTES, CONTEXT_IV_BYTES } from '../../src/verifier/limits.ts'
import { sealServiceContext } from '../../src/verifier/protocol/service-context.ts'

const CHALLENGE_LIFETIME_MS = 28_800_000

/** The body of `POST /attest/Tpm` with which `device` asks for a token: version 2, type `vbs`. */
export async function makeMessage(
  device: VirtualDevice,
  by: { readonly serviceContextKey: Uint8Array; readonly now: Date },
): Promise<string> {
  const challenge = crypto.getRandomValues(new Uint8Array(CHALLENGE_BYTES))
  const expiresAt = new Date(by.now.getTime() + CHALLENGE_LIFETIME_MS)
  const request = await makeAttestationRequest({
    device,
    version: 2,
    challenge,
    serviceContext: sealServiceContext({
      context: { challenge, expiresAt },
      key: by.serviceContextKey,
      iv: crypto.getRandomValues(new Uint8Array(CONTEXT_IV_BYTES)),
    }),
    rpId: 'https://rp.example',
    rpData: toBase64Url(toUtf8('nonce of the relying party')),
  })
  return JSON.stringify({ data: toBase64Url(toUtf8(JSON.stringify({ payload: { request } }))) })
}
