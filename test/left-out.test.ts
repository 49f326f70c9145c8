import { spawnSync } from 'node:child_process'
import { beforeAll, describe, expect, test } from 'vitest'
import { WITNESSES } from './support/witnesses.ts'

/** Runs files as on a machine that has nothing but Node and npm. */
function runBare(files: readonly string[], environment: NodeJS.ProcessEnv) {
  const { VITEST_JSON_REPORT: _, CI: __, ...inherited } = process.env
  const args = [
    'run',
    '--config',
    'test/vitest.config.ts',
    '--root',
    '.',
    '--project',
    'suite',
    ...files,
  ]
  const { status, stdout, stderr } = spawnSync('node_modules/.bin/vitest', args, {
    env: {
      ...Object.fromEntries(Object.entries(inherited).filter(([name]) => !/^VITEST/.test(name))),
      TESTS_WITHOUT: Object.keys(WITNESSES).join(),
      NO_COLOR: '1',
      ...environment,
    },
    encoding: 'utf8',
  })
  return { status, lines: `${stdout}${stderr}`.trim().split('\n') }
}

const FILES = {
  'test/access/evaluation-request.test.ts': WITNESSES.vectors,
  'test/store/drivers/postgres.test.ts': WITNESSES.postgres,
  'test/evidence/tpm/swtpm.test.ts': WITNESSES.swtpm,
} as const

describe('a machine with Node and npm alone', () => {
  let run: ReturnType<typeof runBare>
  beforeAll(() => {
    run = runBare(Object.keys(FILES), {})
  })

  test.each(Object.entries(FILES))(
    '%s passes, and the last line says what was left out and what brings it',
    (file, brings) => {
      const { status, lines } = run
      expect(lines.at(-1)).toMatch(/^Left out: .+\.$/)
      expect(lines.at(-1)).toContain(brings)
      expect(lines.join('\n')).toContain(file)
      expect(status).toBe(0)
    },
  )

  test('in CI it fails instead', () => {
    const { status, lines } = runBare(['test/access/evaluation-request.test.ts'], { CI: 'true' })
    expect(lines.join('\n')).toMatch(/left out, which CI must not|no PostgreSQL in/)
    expect(status).toBe(1)
  })
})
