import { DIGEST_BYTES, digest, equalBytes, type HashAlgorithm } from '../../base/digest.ts'
import { toBase64Url, toUtf8 } from '../../base/encoding.ts'
import { listMishashed } from '../../evidence/device-key.ts'
import { parseTcgLog } from '../../evidence/event-log/tcg-log.ts'
import { describeUnread } from '../../evidence/event-log/unread.ts'
import { parseTpmsAttest } from '../../evidence/tpm/attest.ts'
import type { Aik } from '../../verifier/kinds/tpm/attestation-key.ts'
import { qualifyingDataOf } from '../../verifier/kinds/tpm/key-binding.ts'
import type { TpmEvidence } from '../../verifier/kinds/tpm/tpm-evidence.ts'
import type { RequestData } from '../../verifier/protocol/request-data.ts'

/** Bytes that somebody may have taken for others, and what they are. */
type Guess = readonly [what: string, bytes: Uint8Array]

const HASHES = Object.keys(DIGEST_BYTES) as readonly HashAlgorithm[]

/**
 * What a quote carries that does not carry what it has to, where it is something that agents take for
 * it: looks at the quote as it came and believes nothing of it.
 */
export function hintAtNonce(request: RequestData, quote: Uint8Array): readonly string[] {
  const parsed = parseTpmsAttest(quote)
  if (!parsed.ok) return []
  const { extraData } = parsed.value
  if (equalBytes(extraData, qualifyingDataOf(request))) return []
  const meant = find(guessNonces(request), extraData)
  return meant === undefined ? [] : [`the quote is over ${meant}`]
}

function guessNonces({ requestKey, challenge, rpData }: RequestData): readonly Guess[] {
  const separator = Uint8Array.of(0)
  const keys: readonly Guess[] = [
    ['the text of the request key', toUtf8(requestKey.jwkText)],
    ['the request key as RFC 7638 writes it', toUtf8(canonicalText(requestKey.jwk))],
  ]
  const nonces: readonly Guess[] = [
    ['the challenge', challenge],
    ['the text of the challenge in base64url', toUtf8(toBase64Url(challenge))],
    ...(rpData === undefined ? [] : ([['rp_data', rpData]] as const)),
  ]
  const joined = keys.flatMap(([key, text]) =>
    nonces.flatMap(([nonce, bytes]): readonly Guess[] => [
      [`${key}, 0x00 and ${nonce}`, Buffer.concat([text, separator, bytes])],
      [`${key} and ${nonce}, with no 0x00 between`, Buffer.concat([text, bytes])],
      [`${nonce}, 0x00 and ${key}, in this order`, Buffer.concat([bytes, separator, text])],
    ]),
  )
  const hashed = [...nonces, ...joined].flatMap(([what, bytes]) =>
    HASHES.map((hash): Guess => [`the ${hash} of ${what}`, digest(hash, bytes)]),
  )
  return [...nonces.map(([what, bytes]): Guess => [`${what} alone`, bytes]), ...hashed]
}

/** What a device key is the digest of, where it is not of the SubjectPublicKeyInfo of the key. */
export async function hintAtDeviceKey(aik: Aik, given: Uint8Array): Promise<readonly string[]> {
  if (equalBytes(aik.hash, given)) return []
  const mishashed = listMishashed(aik.key.jwk, await aik.key.spkiDer())
  const { certificate } = aik
  const guesses: readonly Guess[] = [
    ...mishashed.map(({ what, hash }): Guess => [what, hash]),
    ...(certificate === undefined
      ? []
      : ([['its certificate', digest('sha256', certificate.der)]] as const)),
  ]
  const meant = find(guesses, given)
  const wanted = 'it has to be that of the SubjectPublicKeyInfo in DER'
  return meant === undefined ? [] : [`the device key is the SHA-256 of ${meant}: ${wanted}`]
}

/** What the boot logs of a request have where no claim is read from it. */
export function remarkOnLogs({ current, beforeHibernation }: TpmEvidence): readonly string[] {
  return [current, beforeHibernation].flatMap((boot) => {
    const log = boot && parseTcgLog(boot.logs.srtm)
    if (boot === undefined || !log?.ok) return []
    return describeUnread(log.value).map((remark) => `${boot.logs.members.srtm}, ${remark}`)
  })
}

function find(guesses: readonly Guess[], bytes: Uint8Array): string | undefined {
  return guesses.find(([, guess]) => equalBytes(guess, bytes))?.[0]
}

/** RFC 7638 §3.2 */
function canonicalText({ kty, n, e, crv, x, y }: JsonWebKey): string {
  return JSON.stringify(kty === 'RSA' ? { e, kty, n } : { crv, kty, x, y })
}
