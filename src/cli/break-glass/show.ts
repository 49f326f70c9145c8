import { type BreakGlassFailure, refused } from '../../access/break-glass/failure.ts'
import {
  type BreakGlassKeys,
  importBreakGlassKeys,
  readBreakGlassKeys,
} from '../../access/break-glass/keys.ts'
import {
  MAX_BREAK_GLASS_KEYS,
  MAX_BREAK_GLASS_SECONDS,
  PRESET_BREAK_GLASS_SECONDS,
} from '../../access/break-glass/limits.ts'
import { type DecodedBreakGlass, decodeBreakGlass } from '../../access/break-glass/token.ts'
import {
  type BreakGlassRules,
  checkSignature,
  type SignatureState,
  verifyBreakGlass,
} from '../../access/break-glass/verify.ts'
import type { Result } from '../../base/result.ts'
import { verb } from '../framework/command.ts'
import { fields } from '../framework/fields.ts'
import { report, verdictOf } from '../framework/finding.ts'
import { count, preset, required, text } from '../framework/options.ts'
import { readTextFile } from '../framework/read-file.ts'
import { UsageError } from '../framework/usage-error.ts'
import { AUDIENCE, describeClaims, TOKEN } from './describe-token.ts'

/** What the service allows unless told otherwise. */
const SKEW_SECONDS = 60

export const show = verb({
  summary: 'say what a token allows, who signed it, and whether a service with these keys takes it',
  arguments: { token: required(TOKEN) },
  options: {
    keys: text('FILE', 'the public keys to check signatures by: a JWK set as in BREAK_GLASS_KEYS'),
    threshold: preset(
      count('N', 'how many of them must have signed', { least: 1, most: MAX_BREAK_GLASS_KEYS }),
      '2',
    ),
    audience: AUDIENCE,
  },
  json: 'verified, reason, remarks, signatures and token',
  exits: { refused: 'no service with these keys takes it, with the reason' },
  async run({ token, keys: keyFile, threshold, audience, json }) {
    const keys = await readKeys(keyFile)
    const decoded = decodeBreakGlass(token)
    const options = { threshold, audience }
    const outcome = await judge(token, { decoded, keys, options, now: new Date() })
    const signatures = decoded.ok ? await listSignatures(decoded.value, keys) : []
    const finding = {
      ...verdictOf(outcome),
      remarks: decoded.ok ? remarksOn(decoded.value, { keys, audience }) : [],
      signatures,
      token: decoded.ok ? decoded.value.claims : undefined,
    }
    const signers = signatures.map(({ kid, state }) => {
      return [`signed by ${kid}`, state === 'unchecked' ? UNCHECKED : TOLD[state]]
    })
    const told = decoded.ok
      ? describeClaims(decoded.value.claims) + fields(Object.fromEntries(signers))
      : ''
    return report(finding, { json, text: told })
  },
})

const TOLD: Readonly<Record<SignatureState, string>> = {
  valid: 'the signature is right',
  invalid: 'the signature is WRONG',
  unknown_key: 'not one of the keys of --keys',
}
const UNCHECKED = 'not checked: no keys were given (--keys)'

type Options = { readonly threshold: number; readonly audience: string | undefined }

async function readKeys(path: string | undefined): Promise<BreakGlassKeys | undefined> {
  if (path === undefined) return undefined
  const keys = readBreakGlassKeys(readTextFile(path))
  if (!keys.ok) throw new UsageError(`${path} ${keys.failure.detail}`)
  return importBreakGlassKeys(keys.value)
}

type Judged = {
  readonly decoded: Result<DecodedBreakGlass, BreakGlassFailure>
  readonly keys: BreakGlassKeys | undefined
  readonly options: Options
  readonly now: Date
}

async function judge(token: string, { decoded, keys, options, now }: Judged) {
  if (!decoded.ok) return decoded
  if (keys === undefined) return refused('break_glass_not_configured')
  const rules: BreakGlassRules = {
    keys,
    threshold: options.threshold,
    audience: options.audience ?? decoded.value.claims.aud,
    maxSeconds: MAX_BREAK_GLASS_SECONDS,
    skewSeconds: SKEW_SECONDS,
  }
  return verifyBreakGlass(token, { rules, now })
}

async function listSignatures(
  { signatures }: DecodedBreakGlass,
  keys: BreakGlassKeys | undefined,
): Promise<readonly { readonly kid: string; readonly state: SignatureState | 'unchecked' }[]> {
  return Promise.all(
    signatures.map(async (one) => {
      const state = keys === undefined ? 'unchecked' : await checkSignature(one, keys)
      return { kid: one.kid, state }
    }),
  )
}

function remarksOn(
  { claims }: DecodedBreakGlass,
  given: { readonly keys: unknown; readonly audience: unknown },
): string[] {
  const remarks: string[] = []
  if (given.keys === undefined) remarks.push('no signature was checked: give the keys with --keys')
  if (given.audience === undefined)
    remarks.push('whether it is for your service was not asked (--audience)')
  if (claims.exp - claims.iat > PRESET_BREAK_GLASS_SECONDS) {
    remarks.push('it is longer than services allow unless BREAK_GLASS_MAX_SECONDS says so')
  }
  return remarks
}
