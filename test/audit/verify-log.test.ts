import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatCheckpoint } from '../../src/audit/checkpoint.ts'
import { encodeEntry, hashEntry, type LogEntry } from '../../src/audit/entry.ts'
import { type ExportPart, formatPart, parsePart } from '../../src/audit/export-lines.ts'
import { growTree, leafHash } from '../../src/audit/merkle.ts'
import {
  cosignedText,
  formatNote,
  formatNoteKey,
  formatSignature,
  keyIdOf,
  type NoteKey,
  parseNote,
} from '../../src/audit/note.ts'
import { type LogCheck, verifyLog } from '../../src/audit/verify-log.ts'
import { fromBase64Url, toHex } from '../../src/base/encoding.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

const ORIGIN = 'countersign.example/audit'

type Signer = { readonly key: NoteKey; readonly privateKey: KeyObject }

function newSigner(name = ORIGIN): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const bytes = fromBase64Url(String(publicKey.export({ format: 'jwk' }).x)) ?? new Uint8Array()
  return { key: { name, kind: 'ed25519', publicKey: bytes }, privateKey }
}

const SIGNER = newSigner()

function entryOf(n: number, about: Partial<LogEntry> = {}): LogEntry {
  return {
    audit_id: `id-${n}`,
    at: new Date(1_780_000_000_000 + n * 1000).toISOString(),
    actor: 'cli:alice@host',
    action: 'device.quarantined',
    device_id: `dev_${n}`,
    detail: { reason: `stolen ${n}` },
    request: null,
    ...about,
  }
}

const leafOf = (entry: LogEntry) => hashEntry(entry) ?? leafHash(new Uint8Array())

/** A checkpoint over the leaves of these entries, as the service signs it. */
function checkpointOf(entries: readonly LogEntry[], { key, privateKey }: Signer = SIGNER): string {
  const tree = growTree()
  for (const entry of entries) tree.append(leafOf(entry))
  const text = formatCheckpoint({ origin: ORIGIN, size: entries.length, root: tree.root() })
  const bytes = new Uint8Array(sign(null, Buffer.from(text), privateKey))
  return formatNote({ text, signatures: [{ name: key.name, keyId: keyIdOf(key), bytes }] })
}

/** An export of a log of these entries; those that `isExpired` are past their retention. */
function exportOf(
  entries: readonly LogEntry[],
  isExpired: (index: number) => boolean = () => false,
): ExportPart[] {
  const parts: ExportPart[] = [
    {
      kind: 'head',
      exportedAt: '2026-11-28T00:00:00.000Z',
      checkpoint: checkpointOf(entries),
      keys: [formatNoteKey(SIGNER.key)],
    },
  ]
  for (let first = 0; first < entries.length; first += 256) {
    const own = entries.slice(first, first + 256)
    parts.push({ kind: 'tile', tile: first / 256, hashes: Buffer.concat(own.map(leafOf)) })
    for (const [at, entry] of own.entries()) {
      const index = first + at
      if (isExpired(index)) parts.push({ kind: 'expired', index, count: 1 })
      else parts.push({ kind: 'entry', index, entry })
    }
  }
  return parts
}

function verifyText(lines: readonly string[], check: LogCheck = {}) {
  async function* parts() {
    for (const [at, text] of lines.entries()) yield parsePart(text, at + 1)
  }
  return verifyLog(parts(), check)
}

const verifyParts = (parts: readonly ExportPart[], check?: LogCheck) =>
  verifyText(parts.map(formatPart), check)

const ENTRIES = Array.from({ length: 600 }, (_, n) => entryOf(n))
const WHOLE = exportOf(ENTRIES)
/** Where entry `index` stands among the parts: after the head and a tile for each 256. */
const placeOf = (index: number) => 2 + index + Math.floor(index / 256)

describe('an export of the log', () => {
  test('is verified, by keys that are known or by those that it names', async () => {
    const verified = expectOk(await verifyParts(WHOLE, { keys: [SIGNER.key] }))
    expect(verified).toMatchObject({ origin: ORIGIN, size: 600, proven: 600, isPinned: true })
    expect(expectOk(await verifyParts(WHOLE)).isPinned).toBe(false)
    const earlier = [0, 1, 255, 256, 600].map((size) => checkpointOf(ENTRIES.slice(0, size)))
    expect(expectOk(await verifyParts(WHOLE, { earlier })).continues).toEqual([0, 1, 255, 256, 600])
    expect(expectOk(await verifyParts(exportOf([]))).size).toBe(0)
  })

  test('of another key, or of another name than that of the key, is refused', async () => {
    const stranger = newSigner()
    expectRefusal(await verifyParts(WHOLE, { keys: [stranger.key] }), 'audit_checkpoint_unsigned')
    const head = { ...WHOLE[0], checkpoint: checkpointOf(ENTRIES, newSigner('other/audit')) }
    const other = [head as ExportPart, ...WHOLE.slice(1)]
    expectRefusal(await verifyParts(other), 'audit_checkpoint_unsigned')
    const renamed = WHOLE.with(0, {
      ...(WHOLE[0] as ExportPart & { kind: 'head' }),
      checkpoint: checkpointOf(ENTRIES).replace(ORIGIN, 'x/audit'),
    })
    expectRefusal(await verifyParts(renamed), 'audit_checkpoint_unsigned')
  })

  test('whose leaves were made to fit other rows has two histories', async () => {
    const forged = ENTRIES.with(300, entryOf(300, { actor: 'cli:mallory@host' }))
    const parts = [WHOLE[0], ...exportOf(forged).slice(1)].filter((part) => part !== undefined)
    const failure = expectRefusal(await verifyParts(parts), 'audit_log_forked')
    expect(failure).toMatchObject({ size: 600 })
    // And signed anew it does not continue what was there before.
    const earlier = [checkpointOf(ENTRIES.slice(0, 400))]
    expectRefusal(await verifyParts(exportOf(forged), { earlier }), 'audit_log_forked')
    expectOk(
      await verifyParts(exportOf(forged), { earlier: [checkpointOf(ENTRIES.slice(0, 300))] }),
    )
  })

  test('that is shorter than a checkpoint, its own or one of before, was cut off', async () => {
    expectRefusal(await verifyParts(WHOLE.slice(0, placeOf(512) - 1)), 'audit_log_truncated')
    const earlier = [checkpointOf(ENTRIES)]
    const shorter = exportOf(ENTRIES.slice(0, 500))
    expectRefusal(await verifyParts(shorter, { earlier }), 'audit_log_truncated')
  })

  test.each([0, 7, 255, 256, 511, 599])('with row %i changed says so', async (index) => {
    for (const change of [
      { actor: 'cli:mallory@host' },
      { action: 'device.released' },
      { at: '2020-01-01T00:00:00.000Z' },
      { device_id: null },
      { audit_id: 'id-x' },
      { detail: { reason: `stolen ${index}`, more: 0 } },
      { request: {} },
    ]) {
      const parts = WHOLE.with(placeOf(index), {
        kind: 'entry',
        index,
        entry: entryOf(index, change),
      })
      const failure = expectRefusal(await verifyParts(parts), 'audit_row_changed')
      expect(failure).toMatchObject({ index, entry: entryOf(index, change) })
    }
  })

  test.each([0, 7, 255, 256, 511, 599])('with row %i removed says so', async (index) => {
    const removed = WHOLE.toSpliced(placeOf(index), 1)
    const renumbered = removed.map((part, at) =>
      part.kind === 'entry' && at >= placeOf(index) && at < placeOf(index) + 256 - (index % 256) - 1
        ? { ...part, index: part.index - 1 }
        : part,
    )
    for (const parts of [removed, renumbered]) {
      const failure = expectRefusal(await verifyParts(parts), 'audit_row_removed')
      expect(failure).toMatchObject({ index })
    }
    // As if it were past its retention.
    const expired = WHOLE.with(placeOf(index), { kind: 'expired', index, count: 1 })
    const failure = expectRefusal(await verifyParts(expired), 'audit_row_removed')
    expect(failure).toMatchObject({ index })
  })

  test.each([0, 7, 255, 599])(
    'with a row inserted before or after row %i says so',
    async (index) => {
      const entry = entryOf(9999)
      const parts = WHOLE.toSpliced(placeOf(index), 0, { kind: 'entry', index, entry })
      expect(expectRefusal(await verifyParts(parts), 'audit_row_inserted')).toMatchObject({
        index,
        entry,
      })
      const twice = WHOLE.toSpliced(placeOf(index), 0, {
        kind: 'entry',
        index,
        entry: entryOf(index),
      })
      expectRefusal(await verifyParts(twice), 'audit_row_inserted')
      const outside: ExportPart = { kind: 'outside', waits: false, entry }
      expectRefusal(await verifyParts([...WHOLE, outside]), 'audit_row_inserted')
      const waits = { ...outside, waits: true }
      expect(expectOk(await verifyParts([...WHOLE, waits])).waiting).toBe(1)
    },
  )

  test.each([
    [3, 4],
    [3, 200],
    [3, 300],
    [255, 256],
    [10, 599],
  ])('with rows %i and %i exchanged says that rows were moved', async (a, b) => {
    const parts = WHOLE.with(placeOf(a), { kind: 'entry', index: a, entry: entryOf(b) }).with(
      placeOf(b),
      { kind: 'entry', index: b, entry: entryOf(a) },
    )
    expect(expectRefusal(await verifyParts(parts), 'audit_rows_reordered')).toMatchObject({
      index: a,
    })
  })

  test('with a row moved elsewhere says so, in its own tile or to another', async () => {
    for (const [from, to] of [
      [3, 100],
      [3, 400],
      [400, 3],
    ] as const) {
      const moved = WHOLE[placeOf(from)] as ExportPart
      const without = WHOLE.toSpliced(placeOf(from), 1)
      const parts = without.toSpliced(placeOf(to) - (to > from ? 1 : 0), 0, moved)
      const failure = expectRefusal(await verifyParts(parts), 'audit_rows_reordered')
      expect(failure).toMatchObject({ index: Math.min(from, to) })
    }
    const numbered = WHOLE.with(placeOf(5), { kind: 'entry', index: 6, entry: entryOf(5) })
    expectRefusal(await verifyParts(numbered), 'audit_rows_reordered')
  })

  test('whatever is done to one line, it is refused, or says the same', async () => {
    const entries = ENTRIES.slice(0, 12)
    const lines = exportOf(entries).map(formatPart)
    const known = { keys: [SIGNER.key], earlier: [checkpointOf(entries)] }
    const before = JSON.stringify(expectOk(await verifyText(lines, known)))
    await fc.assert(
      fc.asyncProperty(
        fc.nat(lines.length - 1),
        fc.nat(1_000_000),
        fc.constantFrom('cut', 'put', 'change', 'drop', 'twice', 'swap'),
        fc.string({ minLength: 1, maxLength: 3 }),
        async (line, place, what, text) => {
          const old = lines[line] ?? ''
          const at = place % old.length
          const other = place % lines.length
          const changed: Record<typeof what, readonly string[]> = {
            cut: lines.with(line, old.slice(0, at)),
            put: lines.with(line, old.slice(0, at) + text + old.slice(at)),
            change: lines.with(line, old.slice(0, at) + text + old.slice(at + 1)),
            drop: lines.toSpliced(line, 1),
            twice: lines.toSpliced(line, 0, old),
            swap: lines.with(line, lines[other] ?? '').with(other, old),
          }
          const found = await verifyText(changed[what], known)
          if (!found.ok) return
          expect(JSON.stringify(found.value)).toBe(before)
          // What says the same says it of the same entries.
          const shown = (all: readonly string[]) =>
            all.slice(2).map((one) => toHex(encodeEntry(JSON.parse(one).entry) ?? new Uint8Array()))
          expect(shown(changed[what])).toEqual(shown(lines))
        },
      ),
      { numRuns: 500 },
    )
  })

  test('shows the witnesses that cosigned its checkpoint, and is refused without one that was asked for', async () => {
    const head = WHOLE[0] as ExportPart & { kind: 'head' }
    const [witness, absent] = ['w.example/1', 'w.example/2'].map((name) => {
      const signer = newSigner(name)
      return { ...signer, key: { ...signer.key, kind: 'cosignature/v1' } as const }
    })
    if (witness === undefined || absent === undefined) throw new TypeError('two were made')
    const { text } = expectOk(parseNote(head.checkpoint))
    const time = Buffer.alloc(8)
    time.writeBigUInt64BE(1_790_000_000n)
    const signed = sign(null, Buffer.from(cosignedText(text, 1_790_000_000)), witness.privateKey)
    const { key } = witness
    const line = { name: key.name, keyId: keyIdOf(key), bytes: Buffer.concat([time, signed]) }
    const checkpoint = head.checkpoint + formatSignature(line)
    const cosigned = WHOLE.with(0, { ...head, checkpoint })
    const { signatures } = expectOk(await verifyParts(cosigned, { witnesses: [key] }))
    expect(signatures.map(({ key, time }) => [key.name, time])).toEqual([
      [ORIGIN, undefined],
      ['w.example/1', 1_790_000_000],
    ])
    const both = { witnesses: [key, absent.key] }
    expectRefusal(await verifyParts(cosigned, both), 'audit_witness_missing')
    expectRefusal(await verifyParts(WHOLE, { witnesses: [key] }), 'audit_witness_missing')
  })

  test('says how many entries came with a time that was long past', async () => {
    const late = ENTRIES.slice(0, 20).with(15, entryOf(15, { at: '2026-01-01T00:00:00.000Z' }))
    expect(expectOk(await verifyParts(exportOf(late))).late).toBe(1)
  })

  test('past retention proves the leaves, as far as the log itself says what has gone', async () => {
    const said = (rows: number) =>
      entryOf(50, { action: 'audit.rows-expired', device_id: null, detail: { rowsInAll: rows } })
    const isExpired = (index: number) => index < 30
    const entries = [...ENTRIES.slice(0, 50), said(30), ...ENTRIES.slice(51, 300)]
    const verified = expectOk(await verifyParts(exportOf(entries, isExpired)))
    expect(verified).toMatchObject({ expired: 30, proven: 270 })
    const less = [...ENTRIES.slice(0, 50), said(29), ...ENTRIES.slice(51, 300)]
    const failure = expectRefusal(await verifyParts(exportOf(less, isExpired)), 'audit_row_removed')
    expect(failure).toMatchObject({ index: 0 })
  })

  test.each([
    ['nothing', []],
    ['no head', WHOLE.slice(1).map(formatPart)],
    ['no JSON', ['x']],
    ['another format', ['{"format":"x","exported_at":"","keys":[],"checkpoint":""}']],
    ['two heads', [WHOLE[0], ...WHOLE].map((part) => part && formatPart(part)).map(String)],
    ['tiles in another order', [0, 2 + 256, 1].map((at) => formatPart(WHOLE[at] as ExportPart))],
    [
      'a tile of too many hashes',
      [WHOLE[0], { kind: 'tile', tile: 0, hashes: new Uint8Array(32 * 257) }].map((part) =>
        formatPart(part as ExportPart),
      ),
    ],
    [
      'half of a hash',
      [WHOLE[0], { kind: 'tile', tile: 0, hashes: new Uint8Array(16) }].map((part) =>
        formatPart(part as ExportPart),
      ),
    ],
    [
      'an entry with a member more',
      [...WHOLE.slice(0, 2).map(formatPart), '{"index":0,"entry":{"more":1}}'],
    ],
    [
      'an entry before all leaves',
      [WHOLE[0], WHOLE[2]].map((part) => formatPart(part as ExportPart)),
    ],
    [
      'an entry after those that wait',
      [...WHOLE, { kind: 'outside', waits: true, entry: entryOf(1) }, WHOLE[2]].map((part) =>
        formatPart(part as ExportPart),
      ),
    ],
    [
      'more past retention than leaves',
      [WHOLE[0], WHOLE[1], { kind: 'expired', index: 0, count: 257 }].map((part) =>
        formatPart(part as ExportPart),
      ),
    ],
  ] as [string, string[]][])('with %s is no export', async (_, lines) => {
    expectRefusal(await verifyText(lines), 'audit_export_malformed')
  })

  test('whose checkpoint or keys are none is refused as they are', async () => {
    const head = WHOLE[0] as ExportPart & { kind: 'head' }
    const withHead = (changed: object) => WHOLE.with(0, { ...head, ...changed })
    expectRefusal(await verifyParts(withHead({ checkpoint: 'x' })), 'note_malformed')
    expectRefusal(await verifyParts(withHead({ keys: ['x'] })), 'note_key_malformed')
    const none = head.checkpoint.replace(/\n600\n/, '\n0600\n')
    expectRefusal(await verifyParts(withHead({ checkpoint: none })), 'checkpoint_malformed')
  })
})

describe('the bytes of an entry', () => {
  test('are canonical JSON (RFC 8785 §3.2.3: members by their UTF-16 code units) and no other member', () => {
    // The order of the members of the example there: CR, 1, U+0080, ö, €, U+1F600, U+FB33.
    const detail = Object.fromEntries(
      ['\u20ac', '\r', '\ufb33', '1', '\u{1f600}', '\u0080', '\u00f6'].map((name) => [name, 1]),
    )
    const entry = { ...entryOf(1, { detail }), more: 1 }
    expect(Buffer.from(encodeEntry(entry) ?? []).toString()).toBe(
      '{"action":"device.quarantined","actor":"cli:alice@host","at":"2026-05-28T20:26:41.000Z",' +
        '"audit_id":"id-1","detail":{"\\r":1,"1":1,"\u0080":1,"ö":1,"€":1,"\u{1f600}":1,"\ufb33":1},' +
        '"device_id":"dev_1","request":null}',
    )
    expect(encodeEntry(entryOf(1, { actor: '\ud800' }))).toBeUndefined()
  })
})
