import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { VECTORS_FOLDER } from '../support/vectors-folder.ts'

/** Whether there is real evidence to begin from: a folder that this repository does not hold. */
export const HAS_VECTORS = existsSync(VECTORS_FOLDER)

/** The files among the vectors that `pattern` names; none where there are no vectors. */
export function files(...patterns: readonly string[]): readonly Buffer[] {
  if (!HAS_VECTORS) return []
  const paths = globSync([...patterns], { cwd: VECTORS_FOLDER }).toSorted()
  return paths.map((path) => readFileSync(join(VECTORS_FOLDER, path)))
}

export function texts(...patterns: readonly string[]): readonly string[] {
  return files(...patterns).map((file) => file.toString('utf8'))
}

/** What a JSON file holds at one of its members. */
export function members(pattern: string, ...names: readonly string[]): readonly string[] {
  return texts(pattern).flatMap((text) => {
    const value = names.reduce<unknown>((at, name) => Object(at)[name], JSON.parse(text))
    return typeof value === 'string' ? [value] : []
  })
}

/** The certificates of PEM files, in DER. */
export function certificates(...patterns: readonly string[]): readonly Buffer[] {
  return texts(...patterns).flatMap((text) =>
    [...text.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END/g)].map(([, body = '']) =>
      Buffer.from(body, 'base64'),
    ),
  )
}

/** Quote and signature of the real machines: TPMS_ATTEST and TPMT_SIGNATURE. */
export function quotes(): {
  readonly attest: readonly Buffer[]
  readonly signature: readonly Buffer[]
} {
  const base64 = (texts: readonly string[]) => texts.map((text) => Buffer.from(text, 'base64'))
  const windows = 'windows/evidence/*.json'
  const shielded = 'eventlog/go-attestation/windows_gcp_shielded_vm.json'
  return {
    attest: [
      ...base64(members(windows, 'quote')),
      ...base64(members(shielded, 'Quote', 'Quote')),
      ...members('tpm-quote/*/tpm-quote-v1.json', 'message').map((hex) => Buffer.from(hex, 'hex')),
    ],
    signature: [
      ...base64(members(windows, 'signature')),
      ...base64(members(shielded, 'Quote', 'Signature')),
    ],
  }
}
