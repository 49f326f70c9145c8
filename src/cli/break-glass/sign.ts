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
import { describeIssue } from '../../base/fields.ts'
import { EXIT, verb } from '../framework/command.ts'
import { duration, flag, required, text, type ValuesOf } from '../framework/options.ts'
import { UsageError } from '../framework/usage-error.ts'
import { AUDIENCE, describeClaims, TOKEN } from './describe-token.ts'
import { PASSPHRASE_FILE, readSigner } from './key-file.ts'

const PRESET_MS = 30 * 60_000

const OPTIONS = {
  key: required(text('FILE', 'your private key: Ed25519, PKCS#8 in PEM')),
  passphraseFile: PASSPHRASE_FILE,
  add: { ...TOKEN, help: 'sign this token too, which another began; - is standard input' },
  audience: AUDIENCE,
  device: text('ID', 'the one device that is let in: dev_…'),
  allDevices: flag('let in every device, and requests that name none'),
  reason: text('TEXT', 'why, at most 300 characters; it is logged and told to who asks'),
  for: duration(
    'TIME',
    'how long: 90s, 30m (the default), 2h; the service takes BREAK_GLASS_MAX_SECONDS at most (1h unless set), and nobody more than 24h',
  ),
  issuer: text('NAME', 'who makes it, in words (you@this-computer)'),
}

/** Prints a token with one more signature, and to standard error what it is about. */
export const sign = verb({
  summary: 'sign a new token, or one that another has begun',
  about: `A new one needs --audience, --reason, and --device or --all-devices. With --add all of that is in
the token.`,
  options: OPTIONS,
  json: { none: 'what it prints is the token' },
  exits: { refused: 'the token of --add cannot be used' },
  run(values) {
    const signer = readSigner(values.key, values.passphraseFile)
    return values.add === undefined
      ? signFirst(values, signer)
      : signToo(values.add, values, signer)
  },
})

type Values = ValuesOf<typeof OPTIONS>
type Signer = ReturnType<typeof readSigner>

async function signFirst(values: Values, signer: Signer): Promise<number> {
  const claims = readClaims(values, new Date())
  const token = await signBreakGlass(claims, signer)
  tell('You signed a new token', claims)
  print(token)
  return EXIT.done
}

async function signToo(text: string, values: Values, signer: Signer): Promise<number> {
  for (const name of ['audience', 'device', 'reason', 'for', 'issuer'] as const) {
    if (values[name] !== undefined) throw new UsageError(`--${name} is in the token of --add`)
  }
  if (values.allDevices) throw new UsageError('--all-devices is in the token of --add')
  const decoded = decodeBreakGlass(text)
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
  return EXIT.done
}

const OPTION_OF: Readonly<Record<string, string>> = {
  aud: '--audience',
  sub: '--device',
  reason: '--reason',
  iss: '--issuer',
}

function readClaims(values: Values, now: Date): BreakGlassClaims {
  const { audience, device, allDevices: all, reason, issuer = nameOfUser() } = values
  if (audience === undefined) throw new UsageError('--audience is missing')
  if ((device === undefined) === !all) throw new UsageError('say either --device or --all-devices')
  if (reason === undefined) throw new UsageError('--reason is missing')
  const iat = Math.floor(now.getTime() / 1000)
  const claims = breakGlassSchema.safeParse({
    jti: breakGlassId(toBase32(randomBytes(16))),
    iss: issuer,
    aud: audience,
    sub: all ? ALL_DEVICES : device,
    reason,
    iat,
    exp: iat + secondsOf(values.for),
  })
  if (claims.success) return claims.data
  const [issue] = claims.error.issues
  const option = OPTION_OF[String(issue?.path[0])] ?? 'the token'
  const why = issue === undefined ? 'it is wrong' : describeIssue(issue)
  throw new UsageError(`${option} cannot be used: ${why}`)
}

/** An account without a name (any uid in a container) must not stand in the way of an emergency. */
function nameOfUser(): string {
  try {
    return `${userInfo().username}@${hostname()}`
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}@${hostname()}`
  }
}

function secondsOf(ms = PRESET_MS): number {
  const seconds = ms / 1000
  if (seconds > 0 && seconds <= MAX_BREAK_GLASS_SECONDS) return seconds
  throw new UsageError('--for must be like 90s, 30m or 2h, and at most 24h')
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
  return EXIT.refused
}
