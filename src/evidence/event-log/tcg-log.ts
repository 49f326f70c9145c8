import { DIGEST_BYTES, type HashAlgorithm } from '../../base/digest.ts'
import { err, type Result } from '../../base/result.ts'
import { ByteReader, type ParseFailure, parse } from '../bytes.ts'
import { hashAlgorithmOf } from '../tpm/algorithms.ts'
import { EV, eventTypeName } from './event-types.ts'
import {
  MAX_EVENT_BYTES,
  MAX_LOG_ALGORITHMS,
  MAX_LOG_BYTES,
  MAX_LOG_EVENTS,
  MAX_UNKNOWN_DIGEST_BYTES,
} from './limits.ts'

/**
 * A boot log as a device sent it: unverified, every byte of it. Only `verifyReplay` ties it to PCR
 * values, and even then the *type* of an event stays untrusted and its *data* counts only where
 * the digest is shown to cover it.
 */
export type TcgLog = {
  readonly format: 'sha1' | 'crypto-agile'
  /** Banks that the log declares and that are known here. */
  readonly algorithms: readonly HashAlgorithm[]
  /**
   * Locality that started the TPM: PCR 0 starts at this number. Where the log has no event that says
   * so, 4 if it begins PCR 0 with an H-CRTM event and 0 otherwise.
   */
  readonly startupLocality: number
  /** In log order, without the header event of the crypto-agile format. */
  readonly events: readonly TcgEvent[]
}

export type TcgEvent = {
  /** Position in the log; the header of the crypto-agile format is number 0. */
  readonly sequence: number
  /** 0 to 23, or `NO_PCR` for an EV_NO_ACTION that belongs to none. */
  readonly pcr: number
  /** Untrusted: no digest covers it. */
  readonly type: number
  readonly typeName: string
  readonly digests: ReadonlyMap<HashAlgorithm, Uint8Array>
  /** A view of the log's bytes. */
  readonly data: Uint8Array
  /** Where `data` begins in the log. */
  readonly offset: number
}

/** PCR number of Windows' informational TrustPoint event, which extends nothing. */
export const NO_PCR = 0xffffffff
const LAST_PCR = 23

const SIGNATURE_BYTES = 16
const CRYPTO_AGILE = 'Spec ID Event03\0'
/** Signatures of headers after which the log keeps the SHA-1 format. PFP §10.4.5.1 */
const SHA1_HEADERS: ReadonlySet<string> = new Set(['Spec ID Event00\0', 'Spec ID Event02\0'])
const STARTUP_LOCALITY = 'StartupLocality\0'
/** 0 and 3 are TPM2_Startup's localities, 4 is an H-CRTM sequence. PFP §10.4.5.3 */
const HCRTM_LOCALITY = 4
const STARTUP_LOCALITIES: ReadonlySet<number> = new Set([0, 3, HCRTM_LOCALITY])

/** `bit` tells the algorithms of one log apart. */
type Declared = {
  readonly name: HashAlgorithm | undefined
  readonly bytes: number
  readonly bit: number
}
type ReadEvent = (reader: ByteReader, sequence: number) => TcgEvent

/**
 * Parses a boot log in the TCG 1.2 format (SHA-1 only) or the crypto-agile format
 * (TCG PC Client Platform Firmware Profile §10). Input and output are unverified.
 *
 * An event that the end of the log cuts off is `truncated`. Padding is not stripped: none of the
 * real logs has any, and bytes that mean nothing would have to be guessed at. It is `trailing_bytes`
 * after the last event, as is what is too short to be one.
 */
export function parseTcgLog(bytes: Uint8Array): Result<TcgLog, ParseFailure> {
  const progress: Progress = { start: 0 }
  const log = parse('TCG_EVENT_LOG', bytes, MAX_LOG_BYTES, (reader) => readLog(reader, progress))
  return log.ok ? log : err(blameEvent(log.failure, bytes, progress))
}

/** The event that is being read, and where in the log it begins. */
type Progress = { event?: number; start: number }

/** The number of a PCR, which every event begins with: less is no event that was cut off. */
const PCR_BYTES = 4

function blameEvent(
  failure: ParseFailure,
  bytes: Uint8Array,
  { event, start }: Progress,
): ParseFailure {
  if (event === undefined) return failure
  const rest = bytes.subarray(start)
  const isPadding = rest.every((byte) => byte === rest[0]) && (rest[0] === 0 || rest[0] === 0xff)
  const isTruncated = failure.reason === 'truncated'
  const isTooShort = isTruncated && rest.length < PCR_BYTES
  if (event === 0 || !(isTooShort || isPadding)) {
    // Which of the two it is the bytes do not tell, and the wrong advice costs the end of a good log.
    const expected = `the log whole: its end is missing, or the last ${rest.length} bytes are not of it`
    return { ...failure, event, ...(isTruncated && event > 0 && { expected }) }
  }
  const { structure } = failure
  return { reason: 'trailing_bytes', structure, field: structure, offset: start, event: event - 1 }
}

function readLog(reader: ByteReader, progress: Progress): TcgLog {
  progress.event = 0
  const first = readSha1Event(reader, 0)
  const declared = first.type === EV.noAction ? readSpecId(reader, first) : undefined
  const events: TcgEvent[] = declared === undefined ? [first] : []
  const readEvent = declared === undefined ? readSha1Event : agileEventReader(declared)
  for (let sequence = 1; reader.remaining > 0; sequence++) {
    progress.event = sequence
    progress.start = reader.offset
    reader.capped(sequence + 1, MAX_LOG_EVENTS, 'events')
    events.push(readEvent(reader, sequence))
  }
  return {
    format: declared === undefined ? 'sha1' : 'crypto-agile',
    algorithms: declared === undefined ? ['sha1'] : knownAlgorithms(declared),
    startupLocality: findStartupLocality(reader, events, progress),
    events,
  }
}

/** TCG_PCClientPCREvent. PFP §10.2.1 */
function readSha1Event(reader: ByteReader, sequence: number): TcgEvent {
  const pcr = reader.u32le('pcrIndex')
  const type = reader.u32le('eventType')
  checkPcr(reader, pcr, type)
  const digests = new Map([['sha1' as const, reader.bytes(DIGEST_BYTES.sha1, 'digest')]])
  const data = reader.sized32le(MAX_EVENT_BYTES, 'event')
  const offset = reader.offset - data.length
  return { sequence, pcr, type, typeName: eventTypeName(type), digests, data, offset }
}

/**
 * TCG_PCR_EVENT2. PFP §10.2.2
 *
 * The profile wants a digest of every declared algorithm in every event. Real machines do not do
 * that: on one whose firmware logs SHA-1 and SHA-256, every event from Windows' boot manager on
 * carries SHA-256 alone. So an event may carry fewer digests, at least one, never two of one
 * algorithm and never one that the header did not declare; `verifyReplay` refuses a bank with a gap.
 */
function agileEventReader(declared: ReadonlyMap<number, Declared>): ReadEvent {
  return (reader, sequence) => {
    const pcr = reader.u32le('pcrIndex')
    const type = reader.u32le('eventType')
    checkPcr(reader, pcr, type)
    const digests = readDigests(reader, declared)
    const data = reader.sized32le(MAX_EVENT_BYTES, 'event')
    const offset = reader.offset - data.length
    return { sequence, pcr, type, typeName: eventTypeName(type), digests, data, offset }
  }
}

const DECLARED = 'a TPM_ALG_ID that the header declares, each once'

/** TPML_DIGEST_VALUES, little-endian. */
function readDigests(
  reader: ByteReader,
  declared: ReadonlyMap<number, Declared>,
): ReadonlyMap<HashAlgorithm, Uint8Array> {
  const digests = new Map<HashAlgorithm, Uint8Array>()
  const count = reader.capped(reader.u32le('digests.count'), declared.size, 'digests.count')
  if (count === 0) {
    reader.fail('unexpected_value', 'digests.count', `from 1 to ${declared.size}`)
  }
  let seen = 0
  for (let index = 0; index < count; index++) {
    const id = reader.u16le('digests.algorithmId')
    const algorithm = declared.get(id)
    if (algorithm === undefined || (seen & algorithm.bit) !== 0) {
      return reader.fail('unexpected_value', 'digests.algorithmId', DECLARED)
    }
    seen |= algorithm.bit
    const digest = reader.bytes(algorithm.bytes, 'digests.digest')
    if (algorithm.name !== undefined) digests.set(algorithm.name, digest)
  }
  return digests
}

/**
 * TCG_EfiSpecIdEvent: the algorithms of the log by TPM_ALG_ID, or `undefined` when `event` is no
 * crypto-agile header. PFP §10.4.5.1
 */
function readSpecId(outer: ByteReader, event: TcgEvent): ReadonlyMap<number, Declared> | undefined {
  const signature = textOf(event.data.subarray(0, SIGNATURE_BYTES))
  if (!signature.startsWith('Spec ID Event') || SHA1_HEADERS.has(signature)) return undefined
  if (signature !== CRYPTO_AGILE) {
    const { offset } = event
    outer.fail('unexpected_value', 'signature', { offset, expected: 'Spec ID Event03' })
  }

  const reader = new ByteReader(event.data, event.offset)
  reader.bytes(SIGNATURE_BYTES, 'signature')
  reader.u32le('platformClass')
  reader.u8('specVersionMinor')
  reader.u8('specVersionMajor')
  reader.u8('specErrata')
  reader.u8('uintnSize')
  const count = reader.capped(
    reader.u32le('numberOfAlgorithms'),
    MAX_LOG_ALGORITHMS,
    'numberOfAlgorithms',
  )
  if (count === 0) {
    reader.fail('unexpected_value', 'numberOfAlgorithms', `from 1 to ${MAX_LOG_ALGORITHMS}`)
  }
  const declared = new Map<number, Declared>()
  for (let index = 0; index < count; index++) {
    const id = reader.u16le('algorithmId')
    if (declared.has(id)) reader.fail('unexpected_value', 'algorithmId', 'each once')
    declared.set(id, { ...readDigestSize(reader, id), bit: 1 << index })
  }
  reader.bytes(reader.u8('vendorInfoSize'), 'vendorInfo')
  reader.end('specId')
  return declared
}

function readDigestSize(reader: ByteReader, id: number): Omit<Declared, 'bit'> {
  const bytes = reader.u16le('digestSize')
  const name = hashAlgorithmOf(id)
  if (name !== undefined && bytes !== DIGEST_BYTES[name]) {
    reader.fail('unexpected_value', 'digestSize', `${DIGEST_BYTES[name]}, as of ${name}`)
  }
  if (bytes === 0) reader.fail('unexpected_value', 'digestSize', 'at least 1')
  return { name, bytes: reader.capped(bytes, MAX_UNKNOWN_DIGEST_BYTES, 'digestSize') }
}

function knownAlgorithms(declared: ReadonlyMap<number, Declared>): readonly HashAlgorithm[] {
  return [...declared.values()].flatMap(({ name }) => (name === undefined ? [] : [name]))
}

/**
 * At most one StartupLocality, in PCR 0 and before PCR 0 is first extended: it says where PCR 0
 * starts, so a forged one makes the replay fail. Without one, an H-CRTM event that is the first to
 * extend PCR 0 says it: _TPM_Hash_Start before TPM2_Startup sets PCR 0 to 4, and what follows extends
 * that (TPM 2.0 Part 1 §34, PFP §10.4.5.3). Where both are there, the explicit one counts.
 */
function findStartupLocality(
  reader: ByteReader,
  events: readonly TcgEvent[],
  progress: Progress,
): number {
  let found: number | undefined
  let implied = 0
  let extended = false
  for (const { pcr, type, data, sequence, offset } of events) {
    if (type !== EV.noAction) {
      if (pcr === 0 && !extended && type === EV.efiHcrtmEvent) implied = HCRTM_LOCALITY
      extended ||= pcr === 0
    } else if (textOf(data.subarray(0, SIGNATURE_BYTES)) === STARTUP_LOCALITY) {
      const locality = data[SIGNATURE_BYTES]
      const wellFormed = data.length === SIGNATURE_BYTES + 1 && pcr === 0
      const isFirst = !extended && found === undefined
      if (!wellFormed || !isFirst || !STARTUP_LOCALITIES.has(locality ?? NaN)) {
        Object.assign(progress, { event: sequence, start: 0 } satisfies Progress)
        const expected = '0, 3 or 4 in 1 byte, once, before anything extends PCR 0'
        reader.fail('unexpected_value', 'startupLocality', { offset, expected })
      }
      found = locality
    }
  }
  return found ?? implied
}

function checkPcr(reader: ByteReader, pcr: number, type: number): void {
  if (pcr > LAST_PCR && !(pcr === NO_PCR && type === EV.noAction)) {
    reader.fail('unexpected_value', 'pcrIndex', `from 0 to ${LAST_PCR}`)
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}
