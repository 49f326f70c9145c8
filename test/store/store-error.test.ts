import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import pg from 'pg'
import { expect, test } from 'vitest'
import { storeFaultOf } from '../../src/store/store-error.ts'
import { folderForTest } from '../cli/cli-process.ts'

/** The errors are those of Node and of `pg` for a file that is not there. */
test('a file that is not there is a fault of the connection only where it is a socket to connect to', async () => {
  const folder = folderForTest()
  const connecting = await new Promise((resolve) => {
    connect(join(folder, 'none.sock')).once('error', resolve)
  })
  const ofClient = await new pg.Client({ host: folder }).connect().catch((error) => error)
  for (const error of [connecting, ofClient]) {
    expect(error).toMatchObject({ code: 'ENOENT', syscall: 'connect' })
    expect(storeFaultOf(error)).toBe('connection')
  }
  const reading = await readFile(join(folder, 'none')).catch((error) => error)
  expect(reading).toMatchObject({ code: 'ENOENT', syscall: 'open' })
  expect(storeFaultOf(reading)).toBeUndefined()
})
