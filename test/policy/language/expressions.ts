import fc from 'fast-check'

/**
 * Expressions of the part of CEL that policies may use, typed so that most of them compile: every
 * function, method, operator and macro, over the values at which meanings part (limits of numbers
 * and times, NaN, texts beyond the BMP, what is absent). Some are not well typed, on purpose.
 *
 * Left out is what @bufbuild/cel means otherwise than CEL and cannot be told otherwise:
 * - `has(x.f)` is false there where x is no map or x.f is null (langdef, "Field Selection": an error,
 *   and true: the key is in the map);
 * - `!!x` and `--x` are x, whatever x is (langdef, "List of Standard Definitions": `!` is of bool
 *   alone; "Overflow": the least int has no counterpart);
 * - `duration("")` is no time at all (an error in Go's time.ParseDuration).
 * evaluation.test.ts has these.
 */
type Texts = fc.Arbitrary<string>

/** Fills each `$` of a template. */
function fill(template: string, ...parts: readonly Texts[]): Texts {
  const pieces = template.split('$')
  return fc
    .tuple(...parts)
    .map((texts) => pieces.map((piece, at) => piece + (texts[at] ?? '')).join(''))
}

const INTS = fc.constantFrom(
  ...[
    '0',
    '1',
    '2',
    '-1',
    '3',
    '7',
    '-5',
    '100',
    '0x10',
    '4611686018427387904',
    '9007199254740993',
  ],
  ...['9223372036854775807', '-9223372036854775808', '-9223372036854775807', '3037000500'],
)
const UINTS = fc.constantFrom(
  '0u',
  '1u',
  '2u',
  '7u',
  '9223372036854775808u',
  '18446744073709551615u',
)
const DOUBLES = fc.constantFrom(
  ...['0.0', '-0.0', '1.0', '1.5', '-2.5', '0.1', '1e21', '1e-7', '1e308', '5e-324', '123456789.0'],
  ...['9223372036854775807.0', '9007199254740992.0', '18446744073709551615.0', '(0.0 / 0.0)'],
  ...['(1.0 / 0.0)', '(-1.0 / 0.0)', '9223372036854774784.0', '-9223372036854775808.0'],
)
const PIECES = ['', 'a', 'b', 'ab', 'A', 'Z', 'é', 'É', 'İ', 'ſ', '\\u212a', '\\uff61', '\\ufb00']
const ASTRAL = ['\\U0001F600', '\\U00010002', '\\U00010478', 'x\\U0001F92A', '\\ue000', '\\uffff']
const STRINGS = fc.oneof(
  fc.constantFrom(...PIECES, ...ASTRAL, ' ', '0', 'key', 'one').map((text) => `"${text}"`),
  fc.constantFrom("'single'", '"""a"b"""', "r'\\\\d'", '"\\n\\t\\x41\\101"', "'\\'\"'"),
)
const NUMBER_TEXTS = fc.constantFrom(
  ...['', '0', '12', '-7', '+5', '007', ' 1', '1 ', '1_000', '0x1F', '0b11', '0o17', '1.0', '1e3'],
  ...['9223372036854775807', '9223372036854775808', '-9223372036854775808', '18446744073709551615'],
  ...['18446744073709551616', '-0', '-1', '.5', '5.', '-1.5e-3', '1e400', 'NaN', 'Infinity', 'abc'],
  ...['-Infinity', 'true', 'True', 'TRUE', 't', '1', 'f', 'False', 'FaLse', 'yes', '٣', '1e', 'e1'],
)
const TIME_TEXTS = fc.constantFrom(
  ...['0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999999999Z', '1970-01-01T00:00:00Z'],
  ...['2009-02-13T23:31:30Z', '1969-12-31T23:59:59.999Z', '2024-02-29T12:00:00.5+05:30'],
  ...[
    '2026-03-29T01:00:00Z',
    '2026-10-25T00:59:59Z',
    '1900-02-28T23:59:59Z',
    '0099-12-31T23:59:59Z',
  ],
  ...['2000-02-29T00:00:00.123456789-23:59', '1883-11-18T12:00:00Z', '2026-12-31T23:00:00Z'],
  ...[
    '2026-02-30T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-01T24:00:00Z',
  ],
  ...['2026-01-01T00:00:60Z', '2026-01-01', '2026-01-01T00:00:00', '0000-01-01T00:00:00Z', ''],
  ...['2026-01-01T00:00:00.1234567890Z', '10000-01-01T00:00:00Z', '2026-01-01T00:00:00+24:00'],
  ...['0001-01-01T00:00:00+00:01', '9999-12-31T23:59:59-00:01', '2026-1-01T00:00:00Z'],
)
const DURATION_TEXTS = fc.constantFrom(
  ...[
    '0s',
    '0',
    '1s',
    '-1s',
    '1h30m',
    '1.5h',
    '999999999ns',
    '1us',
    '-1ns',
    '1ms',
    '100ms',
    '3600s',
  ],
  ...['9223372036.854775807s', '-9223372036.854775808s', '9223372036854775808ns', '320000000000s'],
  ...['1000000s', '.5s', '5.s', '+2m', '1h1m1s1ms1us1ns', 'h', '.s', '1', '1d', '1.2.3s'],
  ...['0.0000000001s', '-1.5ms', '86400s'],
)
const ZONES = fc.constantFrom(
  ...['UTC', '+00:00', '-00:00', '02:00', '+05:30', '-09:30', '+14:00', 'Europe/Berlin', 'nowhere'],
  ...[
    'America/New_York',
    'Asia/Kathmandu',
    'Australia/Lord_Howe',
    'Pacific/Apia',
    'US/Central',
    '',
  ],
)
const PATTERNS = fc.constantFrom(
  ...['', 'a', '^a', 'b$', '^.$', '^.{2}$', 'a|b', '[a-z]+', '^\\\\w*$', '\\\\pL', '(?i)A', '[^a]'],
  ...['^[\\U0001F600-\\U0001F9FF]+$', '(a*)*$', 'a{2,}', '\\\\bkey\\\\b', '(?s)^.*$', '\\\\d'],
)
const CALENDAR = fc.constantFrom(
  ...['getFullYear', 'getMonth', 'getDate', 'getDayOfMonth', 'getDayOfWeek', 'getDayOfYear'],
  ...['getHours', 'getMinutes', 'getSeconds', 'getMilliseconds'],
)
/** Members of the context that `values` makes, and one that it never has. */
const MEMBERS = fc.constantFrom('n', 'i', 's', 'b', 'z', 'l', 'm', 'absent')
const RELATIONS = fc.constantFrom('==', '!=', '<', '<=', '>', '>=')
const EQUALITIES = fc.constantFrom('==', '!=')
const ARITHMETIC = fc.constantFrom('+', '-', '*', '/', '%')

const QUANTIFIERS = fc.constantFrom('all', 'exists', 'exists_one')
const LOGICAL = fc.constantFrom('&&', '||')
const TEXT_PREDICATES = fc.constantFrom(
  ...['x == "a"', 'x < "b"', 'x.startsWith("a")', 'size(x) > 1', 'x.contains("\\U0001F600")'],
  ...['x.matches("^.$")', 'x in ["a", "key"]', 'x != ""', 'x'],
)

type Types = Record<
  | 'bool'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes'
  | 'timestamp'
  | 'duration'
  | 'any'
  | 'ints'
  | 'doubles'
  | 'strings'
  | 'lists'
  | 'map'
  | 'byInt'
  | 'predicate'
  | 'sum'
  | 'chain',
  string
>

export const expression: Texts = fc.letrec<Types>((tie) => {
  const [bool, int, uint, double] = [tie('bool'), tie('int'), tie('uint'), tie('double')]
  const [string, bytes, any] = [tie('string'), tie('bytes'), tie('any')]
  const [timestamp, duration] = [tie('timestamp'), tie('duration')]
  const [ints, strings, map, byInt] = [tie('ints'), tie('strings'), tie('map'), tie('byInt')]
  const dynamic = fill('context.$', MEMBERS)
  const literal = fc.oneof(INTS, DOUBLES, STRINGS, fc.constantFrom('true', 'false', 'null'))
  const choice = (type: Texts) => fill('($ ? $ : $)', bool, type, type)
  const deep = (leaf: Texts, ...others: Texts[]) =>
    fc.oneof({ maxDepth: 3, depthIdentifier: 'expression' }, leaf, ...others)
  return {
    bool: deep(
      fc.constantFrom('true', 'false', 'context.b', 'context.b'),
      fill('($ $ $)', dynamic, LOGICAL, bool),
      fill('($ $ $)', bool, LOGICAL, dynamic),
      ...[int, uint, double, string, timestamp, duration, bool].map((type) =>
        fill('($ $ $)', type, RELATIONS, type),
      ),
      ...[bytes, ints, strings, map, byInt, tie('lists'), tie('doubles')].map((type) =>
        fill('($ $ $)', type, EQUALITIES, type),
      ),
      fill('($ $ $)', int, RELATIONS, fc.oneof(uint, double)),
      fill('($ $ $)', fc.oneof(uint, double), RELATIONS, int),
      fill('($ $ $)', dynamic, RELATIONS, fc.oneof(literal, dynamic)),
      fill('($ in $)', fc.oneof(int, dynamic), fc.oneof(ints, byInt, dynamic)),
      fill('($ in $)', fc.oneof(string, dynamic), fc.oneof(strings, map, dynamic)),
      fill('($ in $)', fc.oneof(double, dynamic), tie('doubles')),
      fill('($ && $)', bool, bool),
      fill('($ || $)', bool, bool),
      tie('chain'),
      fill('!($)', bool),
      choice(bool),
      fill('has(context.$)', fc.constantFrom('n', 'i', 'l', 'm', 'absent')),
      fill('has(context.m.$)', fc.constantFrom('a', 'b', 'absent')),
      fill('$.$($)', string, fc.constantFrom('startsWith', 'endsWith', 'contains'), string),
      fill('$.matches("$")', fc.oneof(string, dynamic), PATTERNS),
      fill(
        'bool($)',
        fc.oneof(
          string,
          bool,
          NUMBER_TEXTS.map((text) => `"${text}"`),
        ),
      ),
      fill('$.$(x, $)', fc.oneof(ints, dynamic), QUANTIFIERS, tie('predicate')),
      fill('$.$(x, $)', fc.oneof(strings, map, dynamic), QUANTIFIERS, TEXT_PREDICATES),
    ),
    predicate: fc.oneof(
      fill('x $ $', RELATIONS, int),
      fill('$ / x > 1', INTS),
      fill('x % 3 == $', INTS),
      fill('x * $ > 0 || x == 2', INTS),
      fc.constantFrom('context.b', 'x in [1, 2]', 'x == 1.0', 'true', 'false', 'has(context.n)'),
    ),
    int: deep(
      INTS,
      fill('($ $ $)', int, ARITHMETIC, int),
      tie('sum'),
      fill(
        '-$',
        fc.constantFrom('5', '9223372036854775808', '0x7f', ' 1', '(-9223372036854775808)'),
      ),
      fill(
        'int($)',
        fc.oneof(
          int,
          uint,
          double,
          timestamp,
          NUMBER_TEXTS.map((text) => `"${text}"`),
        ),
      ),
      fill('$($)', fc.constant('size'), fc.oneof(string, bytes, ints, strings, map, byInt)),
      fill('$.size()', fc.oneof(string, bytes, ints, strings, map)),
      fill('$.$()', timestamp, CALENDAR),
      fill('$.$("$")', timestamp, CALENDAR, ZONES),
      fill(
        '$.$()',
        duration,
        fc.constantFrom('getHours', 'getMinutes', 'getSeconds', 'getMilliseconds'),
      ),
      fill('$[$]', ints, fc.oneof(fc.constantFrom('0', '1', '-1', '5'), int)),
      fill('$["$"]', map, fc.constantFrom('a', 'b', 'c')),
      fill('$.$', map, fc.constantFrom('a', 'b', 'c')),
      choice(int),
    ),
    uint: deep(
      UINTS,
      fill('($ $ $)', uint, ARITHMETIC, uint),
      fill(
        'uint($)',
        fc.oneof(
          int,
          uint,
          double,
          NUMBER_TEXTS.map((text) => `"${text}"`),
        ),
      ),
      choice(uint),
    ),
    double: deep(
      DOUBLES,
      fill('($ $ $)', double, fc.constantFrom('+', '-', '*', '/'), double),
      fill('-($)', double),
      fill(
        'double($)',
        fc.oneof(
          int,
          uint,
          double,
          NUMBER_TEXTS.map((text) => `"${text}"`),
        ),
      ),
      choice(double),
    ),
    string: deep(
      STRINGS,
      fill('($ + $)', string, string),
      fill('string($)', fc.oneof(int, uint, double, bool, bytes, string, timestamp, duration)),
      fill('$.$()', string, fc.constantFrom('lowerAscii', 'upperAscii')),
      fill('$[$]', strings, fc.constantFrom('0', '1', '9')),
      choice(string),
    ),
    bytes: deep(
      fc.constantFrom(
        'b""',
        'b"abc"',
        'b"\\xff\\x00"',
        'b"\\357\\273\\277a"',
        'b"\\xed\\xa0\\x80"',
        "B'z'",
      ),
      fill('($ + $)', bytes, bytes),
      fill('bytes($)', fc.oneof(string, bytes)),
    ),
    timestamp: deep(
      fc.oneof(
        TIME_TEXTS.map((text) => `timestamp("${text}")`),
        fc.constant('now'),
      ),
      fill('($ $ $)', timestamp, fc.constantFrom('+', '-'), duration),
      fill('($ + $)', duration, timestamp),
      fill('timestamp($)', fc.oneof(timestamp, int)),
      choice(timestamp),
    ),
    duration: deep(
      DURATION_TEXTS.map((text) => `duration("${text}")`),
      fill('($ $ $)', duration, fc.constantFrom('+', '-'), duration),
      fill('($ - $)', timestamp, timestamp),
      fill('duration($)', duration),
      choice(duration),
    ),
    ints: deep(
      fc.array(INTS, { minLength: 1, maxLength: 4 }).map((items) => `[${items.join(', ')}]`),
      fill('[$, $]', int, int),
      fill('($ + $)', ints, ints),
      fill('$.map(x, $)', ints, fc.oneof(fill('x $ $', ARITHMETIC, INTS), fc.constant('x'))),
      fill('$.map(x, x > $, x - 1)', ints, INTS),
      fill('$.filter(x, $)', ints, tie('predicate')),
    ),
    doubles: fc
      .array(DOUBLES, { minLength: 1, maxLength: 3 })
      .map((items) => `[${items.join(', ')}]`),
    strings: deep(
      fc.array(STRINGS, { minLength: 1, maxLength: 4 }).map((items) => `[${items.join(', ')}]`),
      fill('[$, $]', string, string),
      fill(
        '$.map(x, $)',
        fc.oneof(strings, map),
        fc.constantFrom('x', 'x + "!"', 'x.lowerAscii()'),
      ),
      fill('$.filter(x, $)', fc.oneof(strings, map), TEXT_PREDICATES),
    ),
    lists: fill('[$, $]', ints, ints),
    map: deep(
      fc.constantFrom('{"a": 1}', '{"a": 1, "b": 2}', '{"b": 2, "a": 1}', '{"a": 1, "a": 2}'),
      fill('{"a": $, "c": $}', int, int),
      fill('{$: 1, $: 2}', string, string),
    ),
    byInt: fc.constantFrom('{1: 1}', '{1: 1, 2: 2}', '{2: 2, 1: 1}', '{1: 1, 1: 2}', '{-1: 0}'),
    /** Without parentheses: what binds closer is part of the meaning. */
    sum: fill('$ $ $ $ $', INTS, ARITHMETIC, INTS, ARITHMETIC, INTS),
    chain: fill(
      '$ $ !$ $ $',
      bool,
      LOGICAL,
      fc.constantFrom('true', 'context.b'),
      LOGICAL,
      bool,
    ).map((text) => `(${text})`),
    any: fc.oneof(
      { arbitrary: bool, weight: 6 },
      ...[int, uint, double, string, bytes, timestamp, duration, ints, strings, map].map(
        (arbitrary) => ({ arbitrary, weight: 1 }),
      ),
      { arbitrary: fill('$.$', any, fc.constantFrom('a', 'size()')), weight: 1 },
    ),
  }
}).any

/** JSON as a caller sends it. Its texts have no half of a surrogate pair. */
const some = fc.oneof(
  fc.constantFrom(true, false, 0, 1, 2, 1.5, -0, 1e21, 2 ** 53, 2 ** 63, -7, '', 'a', 'A', 'é'),
  fc.constantFrom(
    '\u{1f600}',
    '\uff61',
    '12',
    [],
    [1, 2],
    ['a', 'b'],
    [1, 'a', null],
    {},
    { a: 1 },
  ),
  fc.constantFrom<unknown>({ b: { c: [1] } }, [[1], [1]], [{ a: 1 }], '9223372036854775808'),
)
const any = fc.oneof({ arbitrary: some, weight: 20 }, { arbitrary: fc.constant(null), weight: 1 })

export const values: fc.Arbitrary<{
  readonly context: Record<string, unknown>
  readonly now: Date
}> = fc.record({
  context: fc.record(
    {
      n: fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), some),
      i: fc.oneof(fc.integer(), some),
      s: fc.oneof(fc.string({ unit: 'grapheme' }), any),
      b: fc.boolean(),
      z: any,
      l: fc.oneof(fc.array(any, { maxLength: 4 }), some),
      m: fc.dictionary(fc.constantFrom('a', 'b', 'z'), some),
    },
    { requiredKeys: ['n'] },
  ),
  now: fc.date({
    min: new Date('0001-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  }),
})
