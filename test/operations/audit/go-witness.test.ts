import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodeEntry } from '../../../src/audit/entry.ts'
import { consistencyPath, inclusionPath, rangeHash } from '../../../src/audit/merkle.ts'
import { parseNote, parseNoteKey, verifySignatures } from '../../../src/audit/note.ts'
import { hashesOf, subtreesOf, tailPlaces } from '../../../src/audit/tiles.ts'
import { fromBase64, toBase64 } from '../../../src/base/encoding.ts'
import { auditKeysOf } from '../../../src/operations/audit/audit-keys.ts'
import { newDeviceId } from '../../store/fixtures.ts'
import { describeWith } from '../../support/left-out.ts'
import { expectOk } from '../../support/refusal.ts'
import { createTestService, type TestService } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { exportLines, growLog, partAt } from './audit-fixture.ts'

/** `go.mod` names the versions, `go.sum` their hashes, so that only those come from the module proxy. */
const FOLDER = 'test/conformance/audit'
const go = ['go', '/usr/local/go/bin/go', '/usr/lib/go/bin/go'].find(
  (path) => spawnSync(path, ['version']).status === 0,
)

type Answer = {
  readonly origin: string
  readonly size: number
  readonly root: string
  readonly inclusion: readonly boolean[]
  readonly consistency: readonly boolean[]
  readonly proofs: readonly string[]
  readonly key: string
  readonly note: string
}

/**
 * A log of a running service before libraries that nobody here wrote: golang.org/x/mod (`sumdb/note`,
 * `sumdb/tlog`) and github.com/transparency-dev/merkle, by the program in `test/conformance/audit`.
 */
describeWith('go', go !== undefined, 'the audit log as the libraries of Go read it', () => {
  let database: TestDatabase
  let service: TestService
  let folder: string
  const store = () => service.services.store

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-go-'))
    const program = join(folder, 'witness')
    execFileSync(go ?? '', ['build', '-mod=readonly', '-o', program, '.'], {
      cwd: FOLDER,
      env: { ...process.env, GOTOOLCHAIN: 'local' },
    })
    database = await openTestDatabase()
    service = await createTestService({ database })
    for (let n = 0; n < 300; n += 1) {
      const deviceId = newDeviceId()
      const now = service.clock.now()
      const key = { keyKind: 'aik', deviceKeyHash: deviceId, ring: 1 } as const
      const attributes = { owner: `é"\\\u2028 ${n}` }
      await store().enrolDevice({ deviceId, ...key, attributes, by: 'cli:alice@host', now })
      if (n % 90 === 0) await growLog(service.services)
    }
    await growLog(service.services)
  }, 240_000)
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true })
    await database?.close()
  })

  const ask = (question: object): { readonly answer?: Answer; readonly fault: string } => {
    const { status, stdout, stderr } = spawnSync(join(folder, 'witness'), {
      input: JSON.stringify(question),
      encoding: 'utf8',
    })
    return status === 0 ? { answer: JSON.parse(stdout), fault: '' } : { fault: stderr }
  }

  /** Tiles by the names that C2SP tlog-tiles gives them. */
  const tilesOf = async (size: number) => {
    const named: Record<string, string> = {}
    for (const { level, tile, width } of tailPlaces(size)) {
      for (let index = 0; index <= tile; index += 1) {
        const [found] = await store().auditTiles([{ level, tile: index }])
        if (found === undefined) continue
        const part = index === tile ? `.p/${width}` : ''
        named[`tile/${level}/${String(index).padStart(3, '0')}${part}`] = toBase64(found.hashes)
      }
    }
    return named
  }

  const questionOf = async () => {
    const { size, checkpoint, origin } = await store().auditLog()
    const lines = await exportLines(service.services)
    const entries = lines
      .map((_, at) => partAt(lines, at))
      .flatMap((part) => (part.kind === 'entry' ? [encodeEntry(part.entry)] : []))
    const read = async (place: { readonly level: number; readonly tile: number }) =>
      (await store().auditTiles([place]))[0]?.hashes ?? new Uint8Array()
    const hashOf = subtreesOf(read)
    const prove = async (path: ReturnType<typeof inclusionPath>) =>
      (await Promise.all(path.map((range) => rangeHash(range, hashOf)))).map(toBase64)
    const indexes = [0, 1, 255, 256, size - 1]
    const oldSizes = [1, 91, 255, 256, 257, size]
    return {
      keys: await auditKeysOf(store(), origin ?? ''),
      checkpoint,
      entries: entries.map((bytes) => toBase64(bytes ?? new Uint8Array())),
      tiles: await tilesOf(size),
      inclusion: await Promise.all(
        indexes.map(async (index) => ({ index, hashes: await prove(inclusionPath(index, size)) })),
      ),
      consistency: await Promise.all(
        oldSizes.map(async (old) => ({
          old_size: old,
          hashes: await prove(consistencyPath(old, size)),
        })),
      ),
    }
  }

  test('opens its checkpoint, comes to its root, and takes its proofs and tiles', async () => {
    const question = await questionOf()
    const { size } = await store().auditLog()
    expect(size).toBeGreaterThan(300)
    const { answer, fault } = ask(question)
    expect(fault).toBe('')
    expect(answer).toMatchObject({ origin: 'localhost:8080/audit', size })
    expect(answer?.inclusion).toEqual([true, true, true, true, true])
    expect(answer?.consistency).toEqual([true, true, true, true, true, true])
    // The proofs that x/mod makes of our tiles are those that we make.
    const ours = question.inclusion.map(({ hashes }) => hashes.join())
    const theirs = answer?.proofs.map((bytes) =>
      hashesOf(fromBase64(bytes) ?? new Uint8Array())
        .map(toBase64)
        .join(),
    )
    expect(theirs).toEqual(ours)
  })

  test('refuses it with another entry, another root, another key, and a proof of another leaf', async () => {
    const question = await questionOf()
    const entries = question.entries.with(5, toBase64(Buffer.from('{}')))
    expect(ask({ ...question, entries }).fault).toContain('another root')
    const checkpoint = question.checkpoint?.replace(/\n\d+\n/, '\n3\n')
    expect(ask({ ...question, checkpoint }).fault).toContain('invalid signature')
    const { key = '' } = ask(question).answer ?? {}
    expect(ask({ ...question, keys: [key] }).fault).toContain('no verifiable signatures')
    const [first, second] = question.inclusion
    const inclusion = [
      { index: 0, hashes: second?.hashes },
      { index: 0, hashes: first?.hashes },
    ]
    expect(ask({ ...question, inclusion }).answer?.inclusion).toEqual([false, true])
    const [old] = question.consistency
    const consistency = [{ ...old, old_size: 2 }]
    expect(ask({ ...question, consistency }).answer?.consistency).toEqual([false])
  })

  test('makes notes and keys that are read and verified here', async () => {
    const { answer } = ask(await questionOf())
    const key = expectOk(parseNoteKey(answer?.key ?? ''))
    const note = expectOk(parseNote(answer?.note ?? ''))
    expect(verifySignatures(note, [key])).toHaveLength(1)
    expect(verifySignatures({ ...note, text: `${note.text}x\n` }, [key])).toEqual([])
  })
})
