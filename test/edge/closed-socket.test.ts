import { expect, test } from 'vitest'
import { isClosedDatabaseSocket } from '../support/edge/closed-socket.ts'

const known = {
  name: 'TypeError',
  message: 'This socket has been closed.',
  stack: 'TypeError: This socket has been closed.\n    at CloudflareSocket._listen (pg:1:1)',
}

test('of errors that nobody caught only the known one of closed database sockets is let pass', () => {
  expect(isClosedDatabaseSocket(known)).toBe(true)
  expect(isClosedDatabaseSocket({ ...known, name: 'Error' })).toBe(false)
  expect(isClosedDatabaseSocket({ ...known, message: 'Network connection lost.' })).toBe(false)
  expect(isClosedDatabaseSocket({ ...known, stack: 'at Socket.write (node:net)' })).toBe(false)
})
