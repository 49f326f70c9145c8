import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { normalizeHttpTarget } from '../../../src/evidence/jws/http-target.ts'

/** RFC 3986 has its examples for any scheme and for paths alone. */
const ofPath = (path: string) => normalizeHttpTarget(`https://a.example${path}`)

describe('an HTTP target', () => {
  test('has the normal forms of the examples in RFC 3986', () => {
    // §6.2.2: example://a/b/c/%7Bfoo%7D and eXAMPLE://a/./b/../b/%63/%7bfoo%7d are equivalent.
    expect(normalizeHttpTarget('hTTP://a/./b/../b/%63/%7bfoo%7d')).toBe('http://a/b/c/%7Bfoo%7D')
    // §6.2.2.1, §6.2.2.2
    expect(normalizeHttpTarget('HTTP://www.EXAMPLE.com/')).toBe('http://www.example.com/')
    expect(ofPath('/%3a')).toBe(ofPath('/%3A'))
    expect(ofPath('/%41%5A%61%7a%30%39%2D%2e%5F%7e')).toBe(ofPath('/AZaz09-._~'))
    // §6.2.3: four that are equivalent.
    for (const text of [
      'http://example.com',
      'http://example.com/',
      'http://example.com:/',
      'http://example.com:80/',
    ]) {
      expect(normalizeHttpTarget(text)).toBe('http://example.com/')
    }
    // §5.2.4 and the abnormal examples of §5.4.2.
    for (const [path, right] of [
      ['/a/b/c/./../../g', '/a/g'],
      ['/mid/content=5/../6', '/mid/6'],
      ['/../../../g', '/g'],
      ['/b/c/g/', '/b/c/g/'],
      ['/b/c/.', '/b/c/'],
      ['/b/c/..', '/b/'],
      ['/./g/.', '/g/'],
      ['/b/c/g..', '/b/c/g..'],
      ['/b/c/..g', '/b/c/..g'],
    ] as const) {
      expect(ofPath(path)).toBe(ofPath(right))
      expect(ofPath(path)).toBe(`https://a.example${right}`)
    }
  })

  test.each([
    ['another case of the path', '/V1/a', '/v1/a'],
    ['an escaped slash', '/v1%2Fa', '/v1/a'],
    ['an escaped percent sign', '/%2541', '/A'],
    ['an empty segment', '//v1', '/v1'],
    ['a final slash', '/v1/', '/v1'],
    ['an escaped letter beyond ASCII', '/%C3%89', '/%C3%A9'],
  ])('is another one with %s', (_, one, other) => {
    expect(ofPath(one)).not.toBe(ofPath(other))
    expect(ofPath(one)).toBeDefined()
  })

  test('counts query and fragment for nothing', () => {
    expect(ofPath('/a?b=/../c#d?e')).toBe(ofPath('/a'))
  })

  test.each([
    '',
    '/v1/a',
    'a.example/v1',
    'ftp://a.example/',
    'https:a.example/v1',
    'https:///a.example/v1',
    'https://a.example\\v1',
    ' https://a.example/v1',
    'https://a.example/v1\n',
    'https://a.exam\tple/v1',
    'https://b@a.example/v1',
    'https://a.example@evil.example/v1',
    'https://a.example:8443:1/v1',
    'https://a.example/é',
    'https://é.example/v1',
    'https://a.example/%',
    'https://a.example/%4',
    'https://a.example/%zz',
    'https://a.example/a|b',
    'https://[::1/v1',
    'https://a.example/#a#b',
  ])('is not what RFC 3986 gives no meaning: %j', (text) => {
    expect(normalizeHttpTarget(text)).toBeUndefined()
  })

  test('agrees with the URL of WHATWG where that follows RFC 3986', () => {
    const segment = fc.constantFrom(
      '.',
      '..',
      '',
      'a',
      'B',
      '%2e',
      '%2E%2e',
      '%2F',
      '%7B',
      "a;b='c'",
    )
    const targets = fc
      .record({
        scheme: fc.constantFrom('http', 'HTTPS', 'https'),
        host: fc.constantFrom('a.example', 'A.Example', '[::1]', '127.0.0.1', 'localhost'),
        port: fc.constantFrom('', ':', ':80', ':443', ':8443'),
        path: fc.array(segment).map((segments) => segments.map((one) => `/${one}`).join('')),
        rest: fc.constantFrom('', '?x=../y', '#z', '?a#b'),
      })
      .map(({ scheme, host, port, path, rest }) => `${scheme}://${host}${port}${path}${rest}`)
    fc.assert(
      fc.property(targets, (target) => {
        const { protocol, host, pathname } = new URL(target)
        expect(normalizeHttpTarget(target)).toBe(`${protocol}//${host}${pathname}`)
      }),
      { numRuns: 2_000 },
    )
  })

  test('has one normal form, which is its own', () => {
    const text = fc.string({ unit: fc.constantFrom(...'/.aA%2Ee7cF~:?#@'), maxLength: 20 })
    fc.assert(
      fc.property(text, (path) => {
        const once = ofPath(`/${path}`)
        if (once !== undefined) expect(normalizeHttpTarget(once)).toBe(once)
      }),
      { numRuns: 2_000 },
    )
  })
})
