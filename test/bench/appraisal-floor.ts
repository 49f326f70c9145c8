import { decodeProtectedHeader } from 'jose'
import { DIGEST_BYTES, digest, equalBytes } from '../../src/base/digest.ts'
import { toUtf8 } from '../../src/base/encoding.ts'
import { readBootClaims } from '../../src/evidence/event-log/claims.ts'
import { EV } from '../../src/evidence/event-log/event-types.ts'
import { initialPcr } from '../../src/evidence/event-log/replay.ts'
import { parseTcgLog, type TcgEvent, type TcgLog } from '../../src/evidence/event-log/tcg-log.ts'
import { parseUefiVariable } from '../../src/evidence/event-log/uefi.ts'
import { parseTpmsAttest } from '../../src/evidence/tpm/attest.ts'
import { spkiDerOfJwk } from '../../src/evidence/tpm/key.ts'
import { parseTpmtSignature } from '../../src/evidence/tpm/signature.ts'
import { parseVbsReport } from '../../src/evidence/vbs/report.ts'
import { proveBootLogs } from '../../src/verifier/kinds/tpm/boot-log-proof.ts'
import { readAttestRequest } from '../../src/verifier/protocol/attest-request.ts'
import { readAgentMessage } from '../../src/verifier/protocol/protocol.ts'
import { readRequestJws } from '../../src/verifier/protocol/request-jws.ts'
import { inspectRequest } from '../support/inspect-request.ts'
import { unwrap } from './unwrap.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** A signature and everything its check needs, decoded. The key is not imported: it came along. */
type Check = {
  readonly jwk: JsonWebKey
  readonly algorithm: RsaHashedImportParams & { readonly saltLength?: number }
  readonly signature: Bytes
  readonly message: Bytes
}

/** What cannot be spared in the appraisal of one message, with the inputs taken out of it. */
type Work = {
  readonly checks: readonly Check[]
  /** In the order of the log: what is extended into which PCR. */
  readonly extensions: readonly { readonly pcr: number; readonly digest: Uint8Array }[]
  /** What a PCR begins with. */
  readonly initialPcr: (pcr: number) => Uint8Array
  /** What they must lead to. */
  readonly pcrs: ReadonlyMap<number, Uint8Array>
  readonly pcrDigest: Uint8Array
  /** Events whose data becomes a claim: their digest must be that of their data. */
  readonly readEvents: readonly { readonly data: Uint8Array; readonly digest: Uint8Array }[]
  /** Other things whose SHA-256 is needed: of the AK and key binding, and those that are kept. */
  readonly sha256: readonly (readonly Uint8Array[])[]
  readonly reportSigned: Uint8Array
  readonly enclaveData: Uint8Array
}

const RSASSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
const PSS = { name: 'RSA-PSS', hash: 'SHA-256', saltLength: 32 }
const BANK = 'sha256'

/** Only the hashes and signature checks, by hand: no parsing, no copies, no claims. */
export async function prepareFloor(
  messages: readonly string[],
): Promise<(index: number) => Promise<void>> {
  const works = await Promise.all(messages.map(takeWork))
  return async (index) => {
    const work = works[index]
    if (work === undefined) throw new TypeError('no such message')
    for (const check of work.checks) await verify(check)
    hashAll(work)
  }
}

async function verify({ jwk, algorithm, signature, message }: Check): Promise<void> {
  const key = await crypto.subtle.importKey('jwk', jwk, algorithm, false, ['verify'])
  const isValid = await crypto.subtle.verify(algorithm, key, signature, message)
  if (!isValid) throw new Error('a signature is not valid')
}

function hashAll(work: Work): void {
  const values = new Map<number, Uint8Array>()
  const message = Buffer.alloc(2 * DIGEST_BYTES[BANK])
  for (const extension of work.extensions) {
    message.set(values.get(extension.pcr) ?? work.initialPcr(extension.pcr))
    message.set(extension.digest, DIGEST_BYTES[BANK])
    values.set(extension.pcr, digest(BANK, message))
  }
  for (const [pcr, value] of work.pcrs) expectEqual(values.get(pcr) ?? work.initialPcr(pcr), value)
  expectEqual(digest(BANK, ...work.pcrs.values()), work.pcrDigest)
  for (const event of work.readEvents) expectEqual(digest(BANK, event.data), event.digest)
  for (const parts of work.sha256) digest(BANK, ...parts)
  expectEqual(digest('sha512', work.reportSigned), work.enclaveData)
}

function expectEqual(actual: Uint8Array, expected: Uint8Array): void {
  if (!equalBytes(actual, expected)) throw new Error('a digest does not fit')
}

/** Takes the inputs out of a message with the verifier's own readers. */
async function takeWork(text: string): Promise<Work> {
  const message = unwrap(readAgentMessage(text))
  if (message.kind !== 'request') throw new TypeError('not a request')
  const request = unwrap(readAttestRequest(unwrap(readRequestJws(message.request))))
  const evidence = inspectRequest(request)
  const { current, requestKey, enclave, challenge } = evidence
  const { statement, logs } = current
  const aik = current.aik.publicKey
  if (enclave === undefined || aik === undefined) throw new TypeError('no vbs message')
  const attested = unwrap(parseTpmsAttest(statement.quote)).attested
  const quoteSignature = unwrap(parseTpmtSignature(statement.signature))
  const [pcrs] = statement.pcrs
  if (attested.kind !== 'quote' || quoteSignature.scheme !== 'rsassa' || pcrs === undefined) {
    throw new TypeError('no RSASSA quote')
  }
  const log = unwrap(parseTcgLog(logs.srtm))
  const report = unwrap(parseVbsReport(enclave.report))
  const { idks } = unwrap(readBootClaims(unwrap(proveBootLogs(logs, statement.pcrs))))
  if (idks === undefined) throw new TypeError('no IDKS')
  const readEvents = listReadEvents(log.events)
  return {
    checks: [
      { jwk: requestKey.jwk, algorithm: PSS, ...takeJws(message.request) },
      check(aik, RSASSA, quoteSignature.bytes, statement.quote),
      check({ ...idks }, PSS, report.signature, report.statement),
    ],
    extensions: log.events
      .filter(({ type }) => type !== EV.noAction)
      .map((event) => ({ pcr: event.pcr, digest: digestOf(event) })),
    initialPcr: listInitialPcrs(log),
    pcrs: pcrs.values,
    pcrDigest: attested.pcrDigest,
    readEvents: readEvents.map((event) => ({ data: event.data, digest: digestOf(event) })),
    sha256: [
      [unwrap(await spkiDerOfJwk(aik))],
      [toUtf8(requestKey.jwkText), Uint8Array.of(0), challenge],
      [statement.quote],
      [logs.srtm],
      [enclave.report],
      ...listSecureBootKeys(readEvents),
    ],
    reportSigned: toUtf8(enclave.boundText),
    enclaveData: report.enclaveData,
  }
}

/** Secure Boot's variables, and what Windows' loaders measured before they closed the PCR. */
function listReadEvents(events: readonly TcgEvent[]): readonly TcgEvent[] {
  const closed = new Set<number>()
  return events.filter(({ pcr, type, data }) => {
    if (pcr === 7) return type === EV.efiVariableDriverConfig
    if (pcr < 12 || pcr > 14) return false
    if (Buffer.from(data).toString('latin1') === 'WBCL') closed.add(pcr)
    return type === EV.eventTag && !closed.has(pcr)
  })
}

function listSecureBootKeys(readEvents: readonly TcgEvent[]): readonly (readonly Uint8Array[])[] {
  const variables = readEvents
    .filter(({ pcr }) => pcr === 7)
    .map(({ data }) => unwrap(parseUefiVariable(data)))
  return variables
    .filter(({ name }) => ['PK', 'KEK', 'db', 'dbx'].includes(name))
    .map(({ data }) => [data])
}

function listInitialPcrs(log: TcgLog): Work['initialPcr'] {
  const values = Array.from({ length: 24 }, (_, pcr) => initialPcr(log, BANK, pcr))
  return (pcr) => values[pcr] ?? new Uint8Array()
}

function digestOf(event: TcgEvent): Uint8Array {
  const digest = event.digests.get(BANK)
  if (digest === undefined) throw new TypeError('no digest')
  return digest
}

function takeJws(jws: string): { readonly message: Bytes; readonly signature: Bytes } {
  if (decodeProtectedHeader(jws).alg !== 'PS256') throw new TypeError('not PS256')
  const end = jws.lastIndexOf('.')
  return {
    message: Uint8Array.from(Buffer.from(jws.slice(0, end))),
    signature: Uint8Array.from(Buffer.from(jws.slice(end + 1), 'base64url')),
  }
}

function check(
  jwk: JsonWebKey,
  algorithm: Check['algorithm'],
  signature: Uint8Array,
  message: Uint8Array,
): Check {
  return {
    jwk,
    algorithm,
    signature: Uint8Array.from(signature),
    message: Uint8Array.from(message),
  }
}
