import { expect, test } from 'vitest'
import { createLog, describeFault } from '../../src/base/log.ts'

const clock = () => new Date('2026-01-02T03:04:05Z')

test('a log line is one JSON object with time, level, event and fields', () => {
  const lines: string[] = []
  const log = createLog({ level: 'info', write: (line) => lines.push(line), clock })
  log.info('started', { port: 8080 })
  log.debug('not shown')
  expect(lines).toEqual([
    '{"time":"2026-01-02T03:04:05.000Z","level":"info","event":"started","port":8080}\n',
  ])
})

test('a line break in a field cannot forge a second line', () => {
  const lines: string[] = []
  const log = createLog({ level: 'info', write: (line) => lines.push(line), clock })
  log.warn('refused', { request_id: 'a\n{"level":"info"}' })
  expect(lines.join('').split('\n')).toHaveLength(2)
})

test('silent writes nothing', () => {
  const lines: string[] = []
  createLog({ level: 'silent', write: (line) => lines.push(line), clock }).error('x')
  expect(lines).toEqual([])
})

test('the fault of a query is told without the parameters of the query', () => {
  const cause = Object.assign(new Error('relation does not exist'), { code: '42P01' })
  const fault = new Error('Failed query: select 1\nparams: secret-claims', { cause })
  expect(JSON.stringify(describeFault(fault))).not.toContain('secret-claims')
  expect(describeFault(fault)).toMatchObject({ fault_code: '42P01' })
})
