import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EntityKind } from '../../../src/access/directory.ts'
import { parseSearch } from '../../../src/access/search-request.ts'
import { openPageToken, sealPageToken } from '../../../src/operations/decide/page-token.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'

/**
 * AuthZEN 1.0 §8 asks that what is searched for stays the same from page to page, and that a PDP refuses
 * what was changed. How a token is bound is ours: AES-GCM of Node's OpenSSL is all the witness there is.
 */
const NOW = new Date('2026-05-04T10:00:00Z')
const KEY = new Uint8Array(32).fill(7)
const OTHER_KEY = new Uint8Array(32).fill(8)

function searchOf(change: object = {}, kind: EntityKind = 'subject') {
  const body = {
    subject: { type: 'user', id: 'alice' },
    action: { name: 'read' },
    resource: { type: 'record', id: 'record-1' },
    ...change,
  }
  return expectOk(parseSearch(kind, body))
}

function bindingOf(change: object = {}) {
  return { keys: [KEY] as const, clientId: 'cli_a', search: searchOf(), now: NOW, ...change }
}

const POSITION = { after: 'alice\u202e"\\', limit: 2 }
const token = sealPageToken(POSITION, bindingOf())

describe('a page token', () => {
  test('leads on, and shows nothing of where it is', () => {
    expect(expectOk(openPageToken(token, bindingOf()))).toEqual(POSITION)
    const text = Buffer.from(token, 'base64url').toString('latin1')
    expect(text).not.toContain('alice')
    expect(token).not.toBe(sealPageToken(POSITION, bindingOf()))
  })

  test('leads on whatever id was sent for what is looked for, and in any order of members', () => {
    const search = searchOf({ subject: { id: 'ignored', type: 'user' } })
    expectOk(openPageToken(token, bindingOf({ search })))
  })

  test('goes on with the limit that it was given, and with no other', () => {
    for (const limit of [undefined, 2]) {
      const search = searchOf({ page: { limit } })
      expect(expectOk(openPageToken(token, bindingOf({ search }))).limit).toBe(2)
    }
    const search = searchOf({ page: { limit: 3 } })
    expectRefusal(openPageToken(token, bindingOf({ search })), 'page_token_refused')
    const without = sealPageToken({ after: 'a', limit: undefined }, bindingOf())
    expectRefusal(openPageToken(without, bindingOf({ search })), 'page_token_refused')
  })

  test.each([
    ['of another caller', { clientId: 'cli_b' }],
    ['of a caller whose id reads on into what follows', { clientId: 'cli_a"\n' }],
    ['of another kind of search', { search: searchOf({}, 'resource') }],
    ['of another type', { search: searchOf({ subject: { type: 'robot' } }) }],
    ['of another action', { search: searchOf({ action: { name: 'write' } }) }],
    ['of another resource', { search: searchOf({ resource: { type: 'record', id: 'record-2' } }) }],
    [
      'of other properties',
      { search: searchOf({ action: { name: 'read', properties: { a: 1 } } }) },
    ],
    ['of another context', { search: searchOf({ context: { ip: '192.0.2.1' } }) }],
    ['of another deployment', { keys: [OTHER_KEY] as const }],
  ])('%s is refused', (_name, change) => {
    expectRefusal(openPageToken(token, bindingOf(change)), 'page_token_refused')
  })

  test('that was altered in any bit is refused', () => {
    const bytes = Buffer.from(token, 'base64url')
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const altered = Buffer.from(bytes)
        altered.writeUInt8(altered.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
        const answer = openPageToken(altered.toString('base64url'), bindingOf())
        expectRefusal(answer, 'page_token_refused')
      }),
    )
  })

  test.each(['', 'a', '!', 'AAAA', `${token}A`, 'x'.repeat(4096)])(
    'that is none (%s) is refused',
    (text) => {
      expectRefusal(openPageToken(text, bindingOf()), 'page_token_refused')
    },
  )

  test('ends after an hour', () => {
    const at = (seconds: number) => bindingOf({ now: new Date(NOW.getTime() + seconds * 1000) })
    expectOk(openPageToken(token, at(3600)))
    expectRefusal(openPageToken(token, at(3601)), 'page_token_expired')
  })

  test('outlives a change of the master secret while the one before is known', () => {
    expectOk(openPageToken(token, bindingOf({ keys: [OTHER_KEY, KEY] })))
  })
})
