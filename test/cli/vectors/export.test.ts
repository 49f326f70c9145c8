import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { EXIT } from '../../../src/cli/framework/command.ts'
import { command } from '../../../src/cli/vectors/vectors.ts'
import { type RefusedFile, readAgentVectors, readFolder } from '../../support/agent-vectors.ts'
import { AGENT_VECTORS_FOLDER } from '../../support/agent-vectors-folder.ts'
import { callCommand } from '../call-command.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-vectors-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Some seconds of arithmetic, where nobody else computes. */
const SLOW = 180_000

test(
  'an export writes the committed files',
  async () => {
    const { code, stdout } = await callCommand(command, ['export', folder, '--json'])
    expect(code).toBe(EXIT.done)
    const committed = readAgentVectors()
    const { files, differing } = JSON.parse(stdout)
    expect(differing).toEqual([...committed.keys()].toSorted())
    expect(files).toBe(committed.size)
    for (const [path, text] of committed) {
      expect(readFileSync(join(folder, path), 'utf8'), path).toBe(text)
    }
  },
  SLOW,
)

test(
  'a check names what is missing or another one, and leaves it as it is',
  async () => {
    const path = join(folder, 'keys.json')
    writeFileSync(path, '{}\n')
    rmSync(join(folder, 'service.json'))
    const { code, stdout } = await callCommand(command, ['export', folder, '--check', '--json'])
    expect(code).toBe(EXIT.differs)
    expect(JSON.parse(stdout).differing).toEqual(['keys.json', 'service.json'])
    expect(readFileSync(path, 'utf8')).toBe('{}\n')
  },
  SLOW,
)

test('the files are small, and each refusal says what was changed', () => {
  const files = readAgentVectors()
  const bytes = [...files.values()].reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  expect(bytes).toBeLessThan(1_200_000)
  const refused = readFolder<RefusedFile>(files, 'refused')
  expect(refused.length).toBeGreaterThanOrEqual(30)
  const readme = readFileSync(join(AGENT_VECTORS_FOLDER, 'README.md'), 'utf8')
  for (const { changed, exchanges } of refused) {
    expect(changed).toMatch(/^[\w`].*\.$/)
    expect(exchanges).not.toEqual([])
  }
  for (const name of ['service.json', 'keys.json', 'runs/', 'refused/']) {
    expect(readme).toContain(`\`${name}`)
  }
})
