import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { EXIT } from '../../../src/cli/framework/command.ts'
import { compareFiles, writeFiles } from '../../../src/cli/vectors/export.ts'
import { command } from '../../../src/cli/vectors/vectors.ts'
import { type RefusedFile, readAgentVectors, readFolder } from '../../support/agent-vectors.ts'
import { AGENT_VECTORS_FOLDER } from '../../support/agent-vectors-folder.ts'
import { callCommand } from '../call-command.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-vectors-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('an export would write the committed files, byte for byte', async () => {
  const { code, stdout } = await callCommand(command, ['export', AGENT_VECTORS_FOLDER, '--check'])
  const { size } = readAgentVectors()
  expect(stdout).toBe(
    `All ${size} files in ${resolve(AGENT_VECTORS_FOLDER)} are as they would be written.\n`,
  )
  expect(code).toBe(EXIT.done)
  // Some seconds of arithmetic, where nobody else computes.
}, 180_000)

test('what is missing or another file is found, and written', async () => {
  const files = readAgentVectors()
  expect(await compareFiles(folder, files)).toEqual([...files.keys()].toSorted())
  await writeFiles(folder, files)
  expect(await compareFiles(folder, files)).toEqual([])
  writeFileSync(join(folder, 'keys.json'), '{}\n')
  rmSync(join(folder, 'service.json'))
  expect(await compareFiles(folder, files)).toEqual(['keys.json', 'service.json'])
})

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
