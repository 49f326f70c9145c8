import { expect, test } from 'vitest'
import { explainFault } from '../../src/cli/framework/explain-fault.ts'
import { type Config, parseConfig } from '../../src/config/config.ts'
import { expectOk } from '../support/refusal.ts'

const embedded = expectOk(parseConfig({ DATA_DIR: '/srv/data', PORT: '443' }))
const postgres = expectOk(parseConfig({ DATABASE_URL: 'postgres://me:geheim@db.test:5433/trust' }))

const fault = (message: string, members: object) => Object.assign(new Error(message), members)

function explain(error: unknown, config: Config): string {
  const explained = explainFault(error, config)
  if (!(explained instanceof Error)) throw new TypeError('a fault stays an error')
  expect(explained.message).not.toContain('geheim')
  return explained.message
}

test.each([
  ['EADDRINUSE', 'port 443 of 127.0.0.1 is in use'],
  ['EACCES', 'port 443 is for privileged users'],
  ['EADDRNOTAVAIL', 'this machine has no address 127.0.0.1 (HOST)'],
])('listening fails with %s', (code, text) => {
  const error = fault(`listen ${code}`, { code, syscall: 'listen' })
  expect(explain(error, embedded)).toContain(text)
  expect(explain(error, postgres)).not.toContain('PostgreSQL')
})

test.each(['EACCES', 'EROFS', 'ENOSPC', 'ENOTDIR'])('the file system says %s', (code) => {
  const error = fault(`${code}: mkdir`, { code, path: '/srv/data/store', syscall: 'mkdir' })
  expect(explain(error, embedded)).toBe(
    `cannot use the data directory /srv/data (--data, DATA_DIR): ${code}: mkdir`,
  )
})

test.each([
  fault('connect ECONNREFUSED', { code: 'ECONNREFUSED' }),
  fault('getaddrinfo ENOTFOUND db.test', { code: 'ENOTFOUND' }),
  fault('timeout expired', {}),
])('PostgreSQL cannot be reached: $message', (error) => {
  expect(explain(error, postgres)).toBe(
    `cannot reach PostgreSQL at db.test:5433/trust (DATABASE_URL): ${error.message}`,
  )
  expect(explainFault(error, embedded)).toBe(error)
})

test('several addresses that fail together have no message, so the code is told', () => {
  const error = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' })
  expect(explain(error, postgres)).toMatch(/: ECONNREFUSED$/)
})

test.each([
  ['28P01', 'password authentication failed for user "me"'],
  ['3D000', 'database "trust" does not exist'],
  ['53300', 'sorry, too many clients already'],
  ['57P03', 'the database system is starting up'],
])('PostgreSQL refuses with %s', (code, message) => {
  expect(explain(fault(message, { code }), postgres)).toBe(
    `PostgreSQL at db.test:5433/trust (DATABASE_URL) refuses: ${message}`,
  )
})

test('what it cannot explain stays as it is, with its stack', () => {
  for (const error of [
    new TypeError('a fault of ours'),
    fault('syntax', { code: '42601' }),
    'text',
  ]) {
    expect(explainFault(error, postgres)).toBe(error)
    expect(explainFault(error, embedded)).toBe(error)
  }
})

test('an explanation keeps its cause for whoever debugs', () => {
  const error = fault('connect', { code: 'ECONNREFUSED' })
  expect(explainFault(error, postgres)).toMatchObject({ cause: error })
})
