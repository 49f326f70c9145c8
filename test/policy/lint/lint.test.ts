import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { memberOf, readJsonTree, subtreeOf } from '../../../src/base/json/tree.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { compilePolicy } from '../../../src/policy/document/compile.ts'
import {
  MAX_CLAUSES,
  MAX_FINDINGS,
  MAX_LINTED_CHARS,
  MAX_OUTCOME_STEPS,
} from '../../../src/policy/limits.ts'
import { LINT_CODES, type LintCode, type LintFinding } from '../../../src/policy/lint/finding.ts'
import { lintPolicy } from '../../../src/policy/lint/lint.ts'
import { expectOk } from '../../support/refusal.ts'
import { NOW } from '../healthy-device.ts'
import { countWork } from './count-work.ts'

const lint = (text: string) => lintPolicy(text, { now: NOW }).findings

/** Where `part` begins in a text, as an editor shows it. */
function place(text: string, part: string): { line: number; column: number } {
  const before = text.slice(0, text.indexOf(part)).split('\n')
  expect(text, `has ${part}`).toContain(part)
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 }
}

const TEXTS = '{"en": {"title": "Title", "repair": "Repair."}}'

function clause(changes: { id?: string; when?: string; require?: string; texts?: string } = {}) {
  const { id = 'one', when, require = 'attestation.vbsEnabled', texts = TEXTS } = changes
  const condition = when === undefined ? '' : `"when": ${JSON.stringify(when)},\n      `
  return `{
      "id": "${id}",
      ${condition}"require": ${JSON.stringify(require)},
      "severity": "enforce",
      "texts": ${texts}
    }`
}

function policy(...clauses: readonly string[]): string {
  return `{
  "name": "Test",
  "clauses": [
    ${clauses.join(',\n    ')}
  ]
}
`
}

function findOne(text: string, code: LintCode): LintFinding {
  const found = lint(text)
  expect(found.map((finding) => finding.code)).toEqual([code])
  return found[0] as LintFinding
}

describe('a clause that goes by the minute', () => {
  test.each([
    'now.getMinutes() < 30',
    '(now - device.created_at).getSeconds() < 30',
    'int(now) % 3600 < 1800',
    'string(attestation.attested_at).endsWith("00Z")',
  ])('is refused: %s', (require) => {
    const found = findOne(policy(clause({ require })), 'policy_clause_by_minute')
    expect(found).toMatchObject({ severity: 'error', member: 'require' })
  })

  test('is none where it compares times, or reads hours or another time', () => {
    const plain = [
      'now.getHours() < 18 && now - device.created_at < duration("30m")',
      'device.created_at.getMinutes() < 30',
    ]
    for (const require of plain) expect(lint(policy(clause({ require })))).toEqual([])
  })
})

describe('a clause that goes by the hour on some dates', () => {
  test.each([
    { require: 'now.getMonth() != 11 || now.getDate() != 24 || now.getHours() < 12' },
    { when: 'now.getDayOfYear() == 0', require: 'now.getHours("Europe/Berlin") >= 8' },
  ])('is refused: $require', (changes) => {
    const found = findOne(policy(clause(changes)), 'policy_clause_by_hour_of_date')
    expect(found).toMatchObject({ severity: 'error', member: 'require' })
  })

  test('is none where it goes by the hour of any week, or asks it of another time', () => {
    const plain = [
      'now.getDayOfWeek() != 0 || now.getHours() < 12',
      'now.getMonth() != 11 || device.created_at.getHours() < 12',
    ]
    for (const require of plain) expect(lint(policy(clause({ require })))).toEqual([])
  })
})

describe('a policy as it should be', () => {
  test('the baseline has no finding, in one line and in many', () => {
    expect(lint(JSON.stringify(BASELINE_POLICY))).toEqual([])
    expect(lint(JSON.stringify(BASELINE_POLICY, null, 2))).toEqual([])
    expect(lint(policy(clause()))).toEqual([])
  })

  test('clauses that may pass or fail are not called constant', () => {
    for (const require of [
      'has(attestation.bitlockerEnabled) && attestation.bitlockerEnabled',
      'attestation.enclaveSvn >= 7 && attestation.enclaveSvn != 9',
      'device.ring < 10 || attestation.hvciEnabled',
      'device.labels.exists(label, label == "vip")',
      'attestation.status in ["affirming", "warning"]',
      'context.risk > 1 && context.risk < 2',
      'now < timestamp("2030-01-01T00:00:00Z")',
    ]) {
      expect(lint(policy(clause({ require }))), require).toEqual([])
    }
  })
})

describe('JSON that is none', () => {
  test.each([
    ['', 1, 1, 'the document ends too early'],
    ['{"name": "x",}', 1, 13, 'a comma before } is not JSON: delete it'],
    ['[1,\n 2,\n]', 2, 3, 'a comma before ] is not JSON: delete it'],
    ['{\n  // why\n}', 2, 3, 'a member begins with its name in double quotes'],
    ['{"a": // why\n 1}', 1, 7, 'JSON has no comments: delete it'],
    ['{"a" 1}', 1, 6, 'a colon is missing after the name of the member'],
    ['{"a": 1 "b": 2}', 1, 9, 'a comma or } is missing here'],
    ['{"a": 01}', 1, 7, 'a value is missing here'],
    ['{"a": tru}', 1, 7, 'a value is missing here'],
    ["{'a': 1}", 1, 2, 'a member begins with its name in double quotes'],
    ['["a\tb"]', 1, 4, 'a line end, tab or control character in text: write \\n, \\t'],
    ['["\\x"]', 1, 3, 'this escape is not one that JSON has'],
    ['["abc', 1, 2, 'this text in double quotes does not end'],
    ['{} {}', 1, 4, 'there is more after the end of the document'],
    ['\ufeff{}', 1, 1, 'a byte order mark stands here: save the file without it'],
  ])('%j', (text, line, column, message) => {
    expect(lint(text)).toEqual([{ severity: 'error', code: 'json_syntax', line, column, message }])
  })

  test('nested too deep, which is no way to make it recurse', () => {
    const [finding, ...others] = lint(`${'['.repeat(1_000_000)}`)
    expect(others).toEqual([])
    expect(finding).toMatchObject({ code: 'json_too_deep', line: 1, column: 34 })
  })

  test('a text that no document may have', () => {
    expect(findOne(' '.repeat(MAX_LINTED_CHARS + 1), 'document_over_limit').line).toBe(1)
  })

  test('a member that is there twice, of which one would be lost', () => {
    const text = policy(clause()).replace('"severity"', '"id": "two",\n      "severity"')
    expect(findOne(text, 'json_member_repeated')).toMatchObject({
      severity: 'error',
      ...place(text, '"id": "two"'),
    })
  })
})

describe('a document inside of a request that was read before', () => {
  test('is looked through as its own text would be, with places from its beginning', () => {
    const document = policy(clause({ require: 'no such thing' })).replace('{', '{ "name": "y",')
    const body = `{ "name": 1, "name": 2,\n  "document": ${document}\n}`
    const tree = expectOk(readJsonTree(body, { maxDepth: 64, repeatedMembers: 'report' }))
    const node = memberOf(tree.root, 'document')?.node ?? expect.fail('no document')
    const linted = lintPolicy(subtreeOf(tree, node), { now: NOW })
    expect(linted.findings.map(({ code }) => code)).toContain('json_member_repeated')
    expect(linted).toEqual(lintPolicy(document, { now: NOW }))
  })
})

describe('what a document is made of', () => {
  test('members that are unknown, each with what was probably meant', () => {
    const text = policy(clause())
      .replace('"name"', '"nmae"')
      .replace('"severity"', '"severtiy"')
      .replace('"title"', '"titel"')
    const found = lint(text).filter(({ code }) => code === 'document_member_unknown')
    expect(found).toEqual([
      {
        severity: 'error',
        code: 'document_member_unknown',
        member: 'nmae',
        message: 'there is no member nmae here, but name, description, device, clauses',
        suggestion: 'name',
        ...place(text, '"nmae"'),
      },
      {
        severity: 'error',
        code: 'document_member_unknown',
        clause: 'one',
        member: 'severtiy',
        message:
          'there is no member severtiy here, but id, when, require, severity, enforce_from, grace_seconds, hold, texts',
        suggestion: 'severity',
        ...place(text, '"severtiy"'),
      },
      {
        severity: 'error',
        code: 'document_member_unknown',
        clause: 'one',
        member: 'texts.en.titel',
        message: 'there is no member titel here, but title, repair',
        suggestion: 'title',
        ...place(text, '"titel"'),
      },
    ])
  })

  test('members that are missing, at the object that lacks them', () => {
    const text = '{\n  "name": "x",\n  "clauses": [\n    {"id": "a"}\n  ]\n}'
    expect(lint(text)).toEqual(
      ['require', 'severity', 'texts'].map((member) => ({
        severity: 'error',
        code: 'document_member_missing',
        clause: 'a',
        member,
        line: 4,
        column: 5,
        message: `${member} is missing: add it here`,
      })),
    )
  })

  test('values that cannot be', () => {
    const text = policy(clause({ id: 'A-b' }))
      .replace('"enforce"', '"enforced"')
      .replace('"Title"', '7')
      .replace('"Repair."', '""')
    expect(lint(text)).toMatchObject([
      { code: 'document_value_invalid', member: 'id', ...place(text, '"A-b"') },
      {
        code: 'document_value_invalid',
        message: 'must be "enforce" or "report"',
        suggestion: 'enforce',
        ...place(text, '"enforced"'),
      },
      { message: 'must be text in double quotes', ...place(text, '7') },
      { member: 'texts.en.repair', ...place(text, '""') },
    ])
  })

  test('sizes above the limits', () => {
    const text = policy(clause()).replace('Title', 't'.repeat(161))
    expect(findOne(text, 'document_over_limit')).toMatchObject({
      member: 'texts.en.title',
      message: 'has a number of characters above the limit of 160',
    })
    const many = Array.from({ length: MAX_CLAUSES + 1 }, (_, at) =>
      clause({ id: `c${at}`, require: `device.id == "${at}"` }),
    )
    expect(findOne(policy(...many), 'document_over_limit').member).toBe('clauses')
    const long = Array.from({ length: MAX_CLAUSES }, (_, at) => {
      const title = TEXTS.replace('Repair.', 'r'.repeat(1000))
      const de = TEXTS.replace('Repair.', 'r'.repeat(1000)).slice(1, -1).replace('en', 'de')
      const texts = title.replace(/}}$/, `}, ${de}}`)
      return clause({ id: `c${at}`, require: `device.id == "${at}"`, texts })
    })
    expect(findOne(policy(...long), 'document_over_limit')).toMatchObject({ line: 1, column: 1 })
  })

  test('another document altogether', () => {
    expect(lint('[]')).toMatchObject([
      { code: 'document_value_invalid', message: 'must be an object: { … }', line: 1, column: 1 },
    ])
    expect(lint('{"__proto__": {"name": "x", "clauses": []}}')).toHaveLength(3)
  })

  test('a character that the database would change', () => {
    for (const wrong of ['\\u0000', '\\ud800']) {
      const text = policy(clause()).replace('Title', wrong)
      expect(findOne(text, 'document_text_unstorable')).toMatchObject(place(text, `"${wrong}"`))
    }
  })
})

describe('expressions', () => {
  test('each unknown name of each clause is told, with what was probably meant', () => {
    const text = policy(
      clause({
        id: 'one',
        when: 'devise.ring < 5',
        require: 'attestation.vbsEnable && secureBootEnabled',
      }),
      clause({ id: 'two', require: 'attestation.enclave.svn_curent' }),
    )
    expect(lint(text)).toMatchObject([
      {
        severity: 'error',
        code: 'policy_name_unknown',
        clause: 'one',
        member: 'when',
        message: 'there is no variable devise',
        suggestion: 'device',
        ...place(text, 'devise'),
      },
      {
        code: 'policy_name_unknown',
        member: 'require',
        suggestion: 'vbsEnabled',
        ...place(text, 'vbsEnable '),
      },
      { suggestion: 'attestation.secureBootEnabled', ...place(text, 'secureBootEnabled') },
      { clause: 'two', suggestion: 'svn_current', ...place(text, 'svn_curent') },
    ])
  })

  test.each<[LintCode, string, string]>([
    ['policy_expression_syntax', 'attestation.vbsEnabled &&& true', '& true'],
    ['policy_expression_type', 'attestation.vbsEnabled == 1', 'attestation.vbsEnabled == 1'],
    ['policy_expression_not_boolean', 'device.ring', 'device.ring'],
    ['policy_name_unknown', 'device.id.trim() == ""', 'device.id.trim'],
    ['policy_pattern_invalid', "device.id.matches('(a')", "'(a'"],
    [
      'policy_expression_too_complex',
      'device.labels.all(a, device.labels.all(b, a == b))',
      'b, a == b',
    ],
  ])('%s', (code, require, part) => {
    const text = policy(clause({ require }))
    const finding = findOne(text, code)
    expect(finding).toMatchObject({ clause: 'one', member: 'require', severity: 'error' })
    expect(finding).toMatchObject(place(text, part))
  })

  test('places are right behind escapes of JSON, of which each is one character', () => {
    const written = '\\u0064evice.id == \\"a\\\\tb\\" && devise.ring < 5'
    const text = policy(clause()).replace('attestation.vbsEnabled', written)
    expect(findOne(text, 'policy_name_unknown')).toMatchObject(place(text, 'devise'))
    const lines = policy(clause()).replace('attestation.vbsEnabled', 'true &&\\n  devise.ring < 5')
    expect(findOne(lines, 'policy_name_unknown')).toMatchObject(place(lines, 'devise'))
  })

  test('are looked into although the document is wrong elsewhere', () => {
    const text = policy(clause({ id: 'A', require: 'devise.ring < 5' })).replace('"name"', '"nam"')
    expect(lint(text).map(({ code }) => code)).toEqual([
      'document_member_missing',
      'document_member_unknown',
      'document_value_invalid',
      'policy_name_unknown',
    ])
  })
})

describe('clauses that cannot be meant', () => {
  test.each([
    'false',
    '1 == 2',
    'attestation.vbsEnabled && false',
    'attestation.vbsEnabled && !attestation.vbsEnabled',
    'device.ring > 99',
    'device.ring < 10 && device.ring > 20',
    'device.enrolment == "approved"',
    'attestation.status == "good"',
    'device.id == "a" && device.id == "b"',
    '[1, 2].exists(x, x > 2)',
    '1 / 0 == 1',
  ])('%s denies every device', (require) => {
    const text = policy(clause({ require }))
    expect(findOne(text, 'policy_clause_denies_all')).toMatchObject({
      severity: 'error',
      clause: 'one',
      member: 'require',
      ...place(text, JSON.stringify(require)),
    })
  })

  test('a clause that only reports, or has a condition, denies not everything: a warning', () => {
    const condition = clause({ when: 'device.labels.exists(l, l == "lost")', require: 'false' })
    expect(findOne(policy(condition), 'policy_clause_denies_all')).toMatchObject({
      severity: 'warning',
      message: expect.stringContaining('where the clause applies'),
    })
    const reports = policy(clause({ require: 'false' })).replace('enforce', 'report')
    expect(findOne(reports, 'policy_clause_denies_all').severity).toBe('warning')
  })

  test('what the condition and the requirement say together counts', () => {
    const same = clause({ when: 'device.ring < 5', require: 'device.ring < 10' })
    expect(findOne(policy(same), 'policy_clause_constant').message).toContain('where the clause')
    const opposite = clause({ when: 'device.ring < 5', require: 'device.ring > 10' })
    expect(findOne(policy(opposite), 'policy_clause_denies_all').severity).toBe('warning')
  })

  test.each([
    'true',
    '1 == 1',
    'attestation.vbsEnabled || true',
    'attestation.vbsEnabled == attestation.vbsEnabled',
    'attestation.vbsEnabled || !attestation.vbsEnabled',
    'device.ring >= 0',
    'device.ring < 10 || device.ring > 5',
    'device.key_kind in ["aik", "cnf", "tpm"]',
    'device.id != "a" || device.id != "b"',
    '"a".startsWith("a")',
  ])('%s never fails', (require) => {
    const text = policy(clause({ require }))
    expect(findOne(text, 'policy_clause_constant')).toMatchObject({
      severity: 'warning',
      member: 'require',
      ...place(text, JSON.stringify(require)),
    })
  })

  test('a condition that is never met, and one that always is', () => {
    const never = policy(clause({ when: 'device.ring > 99' }))
    expect(findOne(never, 'policy_when_unreachable')).toMatchObject({
      severity: 'warning',
      member: 'when',
      ...place(never, '"device.ring > 99"'),
    })
    const always = policy(clause({ when: 'true' }))
    expect(findOne(always, 'policy_when_constant')).toMatchObject({
      severity: 'warning',
      ...place(always, '"true"'),
    })
  })

  test('two clauses of one id, and two that ask for the same', () => {
    const text = policy(clause(), clause({ require: 'attestation.hvciEnabled' }))
    expect(findOne(text, 'policy_clause_repeated')).toMatchObject({
      severity: 'error',
      clause: 'one',
      line: 11,
      column: 13,
    })
    const spaced = clause({ id: 'two', require: '( attestation . vbsEnabled )' })
    expect(findOne(policy(clause(), spaced), 'policy_clause_duplicate')).toMatchObject({
      severity: 'warning',
      clause: 'two',
      message: 'asks for the same as the clause one: delete one of them',
    })
    const other = clause({ id: 'two', when: 'device.ring < 5' })
    expect(lint(policy(clause(), other))).toEqual([])
  })

  test('time for repair where there is nothing to repair', () => {
    const withGrace = (text: string) =>
      text.replace('"severity"', '"grace_seconds": 3600, "severity"')
    expect(lint(policy(withGrace(clause())))).toEqual([])
    const request = withGrace(clause({ require: 'context.network == "corporate"' }))
    const reports = withGrace(clause()).replace('"enforce"', '"report"')
    for (const text of [policy(request), policy(reports)]) {
      expect(findOne(text, 'policy_grace_unused')).toMatchObject({
        severity: 'warning',
        clause: 'one',
        member: 'grace_seconds',
        ...place(text, '3600'),
      })
    }
  })

  test('a date from which a clause denies, where it says nothing', () => {
    const dated = (text: string, date: string) =>
      text.replace('"severity"', `"enforce_from": "${date}",\n      "severity"`)
    const coming = '2026-06-01T00:00:00Z'
    const passed = '2026-05-04T10:00:00Z'
    expect(lint(policy(dated(clause(), coming)))).toEqual([])
    const reports = policy(dated(clause(), coming).replace('"enforce"', '"report"'))
    const when = 'now < timestamp("2026-05-20T00:00:00Z") && "field" in device.labels'
    const late = policy(dated(clause({ when }), coming))
    for (const [text, code, date] of [
      [reports, 'policy_enforce_from_unused', coming],
      [policy(dated(clause(), passed)), 'policy_enforce_from_passed', passed],
      [late, 'policy_enforce_from_late', coming],
    ] as const) {
      expect(findOne(text, code)).toMatchObject({
        severity: 'warning',
        clause: 'one',
        member: 'enforce_from',
        ...place(text, `"${date}"`),
      })
    }
    // What still applies then, or may on another day, is no mistake.
    for (const applies of [
      'now > timestamp("2026-05-20T00:00:00Z")',
      'now < timestamp("2026-05-20T00:00:00Z") || "field" in device.labels',
      'now.getHours() < 8 && now > timestamp("2026-05-20T00:00:00Z")',
    ]) {
      expect(lint(policy(dated(clause({ when: applies }), coming)))).toEqual([])
    }
    const invalid = policy(dated(clause(), 'tomorrow'))
    expect(findOne(invalid, 'document_value_invalid').member).toBe('enforce_from')
  })

  test('many parts are no way to make it slow, and what is plain is found all the same', () => {
    const parts = Array.from({ length: 24 }, (_, at) => `attestation.enclaveSvn != ${at * 3}`)
    for (const operator of [' && ', ' || ']) {
      const text = policy(clause({ require: parts.join(operator) }))
      expect(countWork(() => lint(text))).toBeLessThan(2 * MAX_OUTCOME_STEPS)
    }
    const both = `(${parts.map((one, at) => `${one} || device.id == "${at}"`).join(' || ')})`
    expect(
      findOne(policy(clause({ require: `${both} && false` })), 'policy_clause_denies_all').line,
    ).toBe(6)
  })
})

describe('texts', () => {
  test('English is missing: an error', () => {
    const text = policy(clause({ texts: TEXTS.replace('en', 'de') }))
    expect(findOne(text, 'policy_text_missing')).toEqual({
      severity: 'error',
      code: 'policy_text_missing',
      clause: 'one',
      member: 'texts.en',
      message: 'en is missing: add it here',
      ...place(text, '{"de"'),
    })
  })

  test('a language that other clauses have is missing: a warning', () => {
    const both = TEXTS.replace(/}$/, ', "de": {"title": "Titel", "repair": "Tun."}}')
    const text = policy(
      clause({ texts: both }),
      clause({ id: 'two', require: 'attestation.hvciEnabled' }),
    )
    expect(findOne(text, 'policy_text_missing')).toEqual({
      severity: 'warning',
      code: 'policy_text_missing',
      clause: 'two',
      member: 'texts',
      line: 14,
      column: 7,
      message:
        'has no text in de, which other clauses have: add it, or people read the English one',
    })
  })
})

describe('any text', () => {
  const document = fc
    .record({
      require: fc.constantFrom('true', 'attestation.vbsEnabled', 'x y', 'devise.ring', '1 == 2'),
      when: fc.option(fc.constantFrom('false', 'device.ring < 3', '(')),
      texts: fc.constantFrom(TEXTS, '{}', '[]', '{"de": {}}', 'null'),
    })
    .map(({ require, when, texts }) => {
      return policy(clause({ require, texts, ...(when !== null && { when }) }))
    })
  const mutated = fc
    .tuple(document, fc.nat(), fc.nat(40), fc.string({ maxLength: 8 }))
    .map(([text, at, length, put]) => {
      const start = at % text.length
      return text.slice(0, start) + put + text.slice(start + length)
    })
  const anything = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.json(),
    document,
    mutated,
  )

  test('is looked through without an error, and findings lie in it, in order', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const lines = text.split('\n')
        const found = lint(text)
        expect(found.length).toBeLessThanOrEqual(MAX_FINDINGS)
        for (const { line, column, code, message } of found) {
          expect(LINT_CODES).toContain(code)
          expect(message).not.toBe('')
          expect(column).toBeGreaterThanOrEqual(1)
          expect(column).toBeLessThanOrEqual((lines[line - 1] ?? '').length + 1)
        }
        const places = found.map(({ line, column }) => line * 1e6 + column)
        expect(places).toEqual(places.toSorted((a, b) => a - b))
      }),
      { numRuns: 1000 },
    )
  })

  test('without an error compiles, and what does not compile has one', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const { findings, compiled } = lintPolicy(text, { now: NOW })
        const hasError = findings.some(({ severity }) => severity === 'error')
        if (hasError) return
        // What lint hands on is what the document would be compiled to by itself.
        const alone = compilePolicy(JSON.parse(text))
        expect(alone.ok && alone.value.hash).toBe(compiled?.hash)
      }),
      { numRuns: 500 },
    )
  })

  test('with more mistakes than anybody reads is cut, and costs no more than its length', () => {
    const members = Array.from({ length: 100_000 }, (_, at) => `"m${at}": 1`).join(', ')
    const languages = JSON.stringify(
      Object.fromEntries(Array.from({ length: 50_000 }, (_, at) => [`k${at}`, 1])),
    )
    const repeated = Array.from({ length: 200_000 }, () => '"m": 1').join(', ')
    for (const text of [`{${members}}`, policy(clause({ texts: languages })), `{${repeated}}`]) {
      const work = countWork(() => expect(lint(text)).toHaveLength(MAX_FINDINGS))
      expect(work).toBeLessThan(MAX_FINDINGS * text.length)
    }
  })
})

describe('for which questions a device is demanded', () => {
  const withDevice = (device: string, ...clauses: readonly string[]) =>
    policy(...clauses).replace('"clauses"', `"device": ${JSON.stringify(device)}, "clauses"`)
  const OF_REQUEST = clause({ require: 'resource.id == "payroll"' })

  test('always: nothing is found', () => {
    expect(lint(withDevice('always', OF_REQUEST))).toEqual([])
  })

  test('anything else is warned of, at its place', () => {
    const text = withDevice('resource.id == "payroll"', OF_REQUEST)
    const found = findOne(text, 'policy_device_not_always')
    expect(found).toMatchObject({ severity: 'warning', member: 'device' })
    expect(found).toMatchObject(place(text, '"resource.id =='))
    expect(found.message).not.toContain('denies each')
  })

  test('the warning names the clause that denies all such questions anyway', () => {
    const found = findOne(withDevice('false', clause()), 'policy_device_not_always')
    expect(found.message).toContain('one about the device denies each of these questions')
    const other = clause({ id: 'two', require: 'attestation.secureBootEnabled' })
    const both = findOne(withDevice('false', clause(), other), 'policy_device_not_always')
    expect(both.message).toContain('one and 1 more about the device deny each of these questions')
  })

  test('a condition about the device or the time is an error', () => {
    for (const device of ['device.ring == 1', 'attestation.vbsEnabled', 'now < now']) {
      const found = findOne(withDevice(device, OF_REQUEST), 'policy_device_not_of_request')
      expect(found).toMatchObject({ severity: 'error', member: 'device' })
    }
  })

  test('a condition that does not compile is told where it does not', () => {
    const text = withDevice('resource.di == 1', OF_REQUEST)
    expect(findOne(text, 'policy_name_unknown')).toMatchObject({
      member: 'device',
      severity: 'error',
    })
  })
})
