import { generateKeyPairSync } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { writePage } from '../src/cli/errors/catalogue.ts'
import { parseConfig, SETTING_NAMES } from '../src/config/config.ts'
import { expectOk } from './support/refusal.ts'

const DOCUMENTS = [
  'README.md',
  'SECURITY.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  '.container/README.md',
  ...['docs', 'docs/guides'].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name)),
  ),
]

type Setting = [name: string, fallback: string | undefined, range?: string | undefined]

const read = (file: string) => readFileSync(file, 'utf8')

/** As GitHub makes an anchor of a heading, for the characters that ours have. */
function anchorsOf(file: string): string[] {
  const text = read(file).replaceAll(/^ *```[\s\S]*?^ *```/gm, '')
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} -]/gu, '')
      .replaceAll(' ', '-'),
  )
}

/** Rows of the table of settings: names and defaults, several in one row by their order. */
function documentedSettings(): Setting[] {
  const rows = read('docs/configuration.md')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
  return rows.flatMap((row) => {
    const [, names = '', fallbacks = '', meaning = ''] = row.split('|')
    const values = quoted(fallbacks, /`(.*?)`/g)
    const ranges = fallbacks.split('`').filter((_, index) => index > 1 && index % 2 === 0)
    const own = quoted(names, /`(.*?)`/g).map((name, index): Setting => {
      return [name, values[index], /\((\d+ to \d+)\)/.exec(ranges[index] ?? '')?.[1]]
    })
    const others = quoted(meaning, /`([A-Z]+(?:_[A-Z]+)+)`/g)
    return [...own, ...others.map((name): Setting => [name, undefined])]
  })
}

function quoted(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, inside = '']) => inside)
}

function breakGlassKey(_: unknown, index: number) {
  const { publicKey } = generateKeyPairSync('ed25519')
  return { ...publicKey.export({ format: 'jwk' }), kid: `key-${index}` }
}

describe('documents', () => {
  test('name of each function of the database the file in which it is as it runs', () => {
    const newest = new Map<string, string>()
    for (const file of readdirSync('drizzle')
      .filter((name) => name.endsWith('.sql'))
      .sort()) {
      newest.set(file.replace(/^\d+_/, ''), file)
    }
    for (const document of DOCUMENTS) {
      for (const [, file = '', name = ''] of read(document).matchAll(
        /drizzle\/(\d{4}_(\w+\.sql))/g,
      )) {
        expect(file, document).toBe(newest.get(name))
      }
    }
  })

  test.each(DOCUMENTS)('%s: each file that it names is there', (file) => {
    const named = [...read(file).matchAll(/`((?:src|test|docs|drizzle)\/[\w./-]+)`/g)]
    expect(named.map(([, path = '']) => path).filter((path) => !existsSync(path))).toEqual([])
  })

  test.each(DOCUMENTS)('%s: each link leads to a file, and to a heading that it has', (file) => {
    const broken = [...read(file).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)]
      .map(([link, path = '', anchor]) => ({ link, path, anchor }))
      .filter(({ path, anchor }) => {
        const target = path === '' ? file : join(dirname(file), path)
        if (!existsSync(target)) return true
        return anchor !== undefined && !anchorsOf(target).includes(anchor)
      })
    expect(broken).toEqual([])
  })

  test.each(DOCUMENTS)('%s: nothing is left of a merge', (file) => {
    expect(read(file)).not.toMatch(/^(?:<{7}|={7}|>{7})/m)
  })

  test('guarantees are numbered one after the other', () => {
    const security = read('SECURITY.md')
    const list = security.slice(security.indexOf('## Guarantees'))
    const section = list.slice(0, list.indexOf('\n## ', 1))
    const numbers = [...section.matchAll(/^(\d+)\. /gm)].map(([, number]) => Number(number))
    expect(numbers).toEqual(numbers.map((_, index) => index + 1))
  })
})

test('the catalogue of errors is what `npm run -s countersign -- errors page` prints', () => {
  expect(read('docs/errors.md')).toBe(writePage())
})

describe('the table of settings', () => {
  const documented = documentedSettings()

  test('has every setting, and no other', () => {
    const names = new Set(documented.map(([name]) => name))
    expect(SETTING_NAMES.filter((name) => !names.has(name))).toEqual([])
    const rows = documented.map(([name]) => name).filter((name) => !SETTING_NAMES.includes(name))
    expect(rows).toEqual([])
  })

  test('says the least and the most that a number may be', () => {
    const told = documented.flatMap(([name, value, range]) => (value ? [[name, range]] : []))
    const parsed = told.map(([name = '']) => {
      const refused = parseConfig({ [name]: 'x' })
      const mistakes = refused.ok ? [] : refused.failure.mistakes
      const own = mistakes.find((mistake) => mistake.startsWith(`${name}: `)) ?? ''
      return [name, /must be a whole number.* from (\d+ to \d+)$/.exec(own)?.[1]]
    })
    expect(told).toEqual(parsed)
    expect(parsed.filter(([, range]) => range !== undefined).length).toBeGreaterThan(20)
    expect(parsed).toContainEqual(['CONTROL_INTERVAL_SECONDS', '5 to 300'])
  })

  test('says the value that is used where none is given', () => {
    const given = documented.filter(([, value]) => value !== undefined && !/[A-Z]/.test(value))
    expect(given.length).toBeGreaterThan(25)
    // Without keys of break-glass its other settings are a mistake.
    const keys = Array.from({ length: 2 }, breakGlassKey)
    const BREAK_GLASS_KEYS = JSON.stringify({ keys })
    // But for what is told of settings themselves: that somebody gave one.
    const read = (env: Readonly<Record<string, string | undefined>>) => {
      const { described: _, ...config } = expectOk(parseConfig({ BREAK_GLASS_KEYS, ...env }))
      return config
    }
    const unset = read({})
    for (const [name, value] of given) expect(read({ [name]: value }), name).toEqual(unset)
  })
})
