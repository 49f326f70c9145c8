import { randomBytes } from 'node:crypto'
import { hostname, userInfo } from 'node:os'
import {
  ALL_DEVICES,
  type BreakGlassClaims,
  breakGlassId,
  breakGlassSchema,
} from '../../access/break-glass/claims.ts'
import {
  MAX_BREAK_GLASS_CHARS,
  MAX_BREAK_GLASS_SECONDS,
  MAX_BREAK_GLASS_SIGNATURES,
} from '../../access/break-glass/limits.ts'
import { addSignature, signBreakGlass } from '../../access/break-glass/sign.ts'
import { decodeBreakGlass } from '../../access/break-glass/token.ts'
import { toBase32 } from '../../base/encoding.ts'
import { UsageError } from '../framework/arguments.ts'
import { describeClaims, readAudience, readToken } from './describe-token.ts'
import { readPassphrase, readSigner } from './key-file.ts'
import type { BreakGlassValues } from './options.ts'

/** Prints a token with one more signature, and to standard error what it is about. */
export function sign(values: BreakGlassValues): Promise<number> {
  const signer = readSigner(values.key, readPassphrase(values['passphrase-file']))
  return values.add === undefined ? signFirst(values, signer) : signToo(values, signer)
}

type Signer = ReturnType<typeof readSigner>

async function signFirst(values: BreakGlassValues, signer: Signer): Promise<number> {
  const claims = readClaims(values, new Date())
  const token = await signBreakGlass(claims, signer)
  tell('You signed a new token', claims)
  print(token)
  return 0
}

async function signToo(values: BreakGlassValues, signer: Signer): Promise<number> {
  for (const name of ['audience', 'device', 'reason', 'for', 'issuer'] as const) {
    if (values[name] !== undefined) throw new UsageError(`--${name} is in the token of --add`)
  }
  if (values['all-devices']) throw new UsageError('--all-devices is in the token of --add')
  const decoded = decodeBreakGlass(readToken(values.add))
  if (!decoded.ok) return refuse(decoded.failure.reason)
  const { claims, envelope, signatures } = decoded.value
  if (claims.exp * 1000 <= Date.now()) return refuse('break_glass_expired')
  if (claims.exp - claims.iat > MAX_BREAK_GLASS_SECONDS) {
    return refuse('break_glass_lifetime_too_long')
  }
  if (signatures.some(({ kid }) => kid === signer.kid)) {
    throw new UsageError('this key has signed the token already: another person must')
  }
  if (signatures.length >= MAX_BREAK_GLASS_SIGNATURES) {
    throw new UsageError(`a token has at most ${MAX_BREAK_GLASS_SIGNATURES} signatures`)
  }
  const token = await addSignature(envelope, signer)
  tell(`You signed too, as number ${signatures.length + 1}`, claims)
  print(token)
  return 0
}

const OPTION_OF: Readonly<Record<string, string>> = {
  aud: '--audience',
  sub: '--device',
  reason: '--reason',
  iss: '--issuer',
}

function readClaims(values: BreakGlassValues, now: Date): BreakGlassClaims {
  const { audience = '', device, reason, issuer = nameOfUser() } = values
  const all = values['all-devices']
  if ((device === undefined) === !all) throw new UsageError('say either --device or --all-devices')
  if (reason === undefined) throw new UsageError('--reason is missing')
  const iat = Math.floor(now.getTime() / 1000)
  const claims = breakGlassSchema.safeParse({
    jti: breakGlassId(toBase32(randomBytes(16))),
    iss: issuer,
    aud: readAudience(audience),
    sub: all ? ALL_DEVICES : device,
    reason,
    iat,
    exp: iat + readSeconds(values.for),
  })
  if (claims.success) return claims.data
  const [issue] = claims.error.issues
  const option = OPTION_OF[String(issue?.path[0])] ?? 'the token'
  throw new UsageError(`${option} cannot be used: ${issue?.message}`)
}

/** An account without a name (any uid in a container) must not stand in the way of an emergency. */
function nameOfUser(): string {
  try {
    return `${userInfo().username}@${hostname()}`
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}@${hostname()}`
  }
}

const SECONDS_OF_UNIT: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 }

function readSeconds(text = '30m'): number {
  const [, count = '', unit = ''] = /^(\d{1,6})([smh])$/.exec(text) ?? []
  const seconds = Number(count) * (SECONDS_OF_UNIT[unit] ?? Number.NaN)
  if (!(seconds > 0 && seconds <= MAX_BREAK_GLASS_SECONDS)) {
    throw new UsageError('--for must be like 90s, 30m or 2h, and at most 24h')
  }
  return seconds
}

function tell(head: string, claims: BreakGlassClaims): void {
  process.stderr.write(`${head}:\n${describeClaims(claims)}`)
}

function print(token: string): void {
  if (token.length > MAX_BREAK_GLASS_CHARS) throw new UsageError('the token becomes too large')
  process.stdout.write(`${token}\n`)
}

function refuse(reason: string): number {
  process.stderr.write(`REFUSED  ${reason}\n`)
  return 2
}
