import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
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
  for (const { changed, exchanges } of refused) {
    expect(changed).toMatch(/^[\w`].*\.$/)
    expect(exchanges).not.toEqual([])
  }
})

test('the README that is written with them tells every file, and every member of it', () => {
  const files = readAgentVectors()
  const readme = files.get('README.md') ?? ''
  expect(readme).not.toMatch(/\]\(/)
  for (const [path, text] of files) {
    if (path === 'README.md') continue
    const title = path.replace(/(?<=\/).*(?=\.json$)/, 'NAME')
    const [, section = ''] = readme.split(`## \`${title}\`\n`)
    const [own = ''] = section.split('\n## ')
    for (const member of Object.keys(JSON.parse(text))) {
      expect(own, `${path}: ${member}`).toMatch(new RegExp(`^\\|.*\`${member}\`.*\\|.*\\|$`, 'm'))
    }
  }
})
