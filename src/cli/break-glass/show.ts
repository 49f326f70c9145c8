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
import { readCount, UsageError } from '../framework/arguments.ts'
import { fields } from '../framework/fields.ts'
import { readTextFile } from '../framework/read-text.ts'
import { report, verdictOf } from '../inspect/finding.ts'
import { describeClaims, readAudience, readToken } from './describe-token.ts'
import type { BreakGlassValues } from './options.ts'

const PRESET_THRESHOLD = 2
/** What the service allows unless told otherwise. */
const SKEW_SECONDS = 60

/** Tells what a token allows and who signed it, and whether a service with these keys takes it. */
export async function show(text: string | undefined, values: BreakGlassValues): Promise<number> {
  const token = readToken(text)
  const keys = await readKeys(values.keys)
  const options = readOptions(values)
  const decoded = decodeBreakGlass(token)
  const outcome = await judge(token, { decoded, keys, options, now: new Date() })
  const signatures = decoded.ok ? await listSignatures(decoded.value, keys) : []
  const finding = {
    ...verdictOf(outcome),
    remarks: decoded.ok ? remarksOn(decoded.value, values) : [],
    signatures,
    token: decoded.ok ? decoded.value.claims : undefined,
  }
  const signers = signatures.map(({ kid, state }) => [`signed by ${kid}`, TOLD[state]])
  return report(finding, {
    json: values.json,
    text: decoded.ok
      ? describeClaims(decoded.value.claims) + fields(Object.fromEntries(signers))
      : '',
  })
}

const TOLD: Readonly<Record<SignatureState, string>> = {
  valid: 'the signature is right',
  invalid: 'the signature is WRONG',
  unknown_key: 'not one of the keys',
}

type Options = { readonly threshold: number; readonly audience: string | undefined }

function readOptions(values: BreakGlassValues): Options {
  const threshold = readCount(values.threshold, 'threshold', PRESET_THRESHOLD, 1)
  if (threshold > MAX_BREAK_GLASS_KEYS)
    throw new UsageError('--threshold is more than there are keys')
  const { audience } = values
  return { threshold, audience: audience === undefined ? undefined : readAudience(audience) }
}

async function readKeys(path: string | undefined): Promise<BreakGlassKeys | undefined> {
  if (path === undefined) return undefined
  const keys = readBreakGlassKeys(readTextFile(path, '--keys'))
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

async function listSignatures({ signatures }: DecodedBreakGlass, keys: BreakGlassKeys = new Map()) {
  return Promise.all(
    signatures.map(async (one) => ({ kid: one.kid, state: await checkSignature(one, keys) })),
  )
}

function remarksOn({ claims }: DecodedBreakGlass, values: BreakGlassValues): string[] {
  const remarks: string[] = []
  if (values.keys === undefined) remarks.push('no signature was checked: give the keys with --keys')
  if (values.audience === undefined)
    remarks.push('whether it is for your service was not asked (--audience)')
  if (claims.exp - claims.iat > PRESET_BREAK_GLASS_SECONDS) {
    remarks.push('it is longer than services allow unless BREAK_GLASS_MAX_SECONDS says so')
  }
  return remarks
}
