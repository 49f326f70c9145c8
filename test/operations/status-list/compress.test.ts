import { spawnSync } from 'node:child_process'
import { StatusList } from '@sd-jwt/jwt-status-list'
import { expect, test } from 'vitest'
import { compressStatuses } from '../../../src/operations/status-list/build-list.ts'
import { describeWith } from '../../support/left-out.ts'

/** Statuses of so many devices, of which one in ten, at places by chance, is not compliant. */
function fleetOf(devices: number): { readonly statuses: number[]; readonly bytes: Uint8Array } {
  let state = 1
  const chance = () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
  const statuses = Array.from({ length: devices }, () => {
    return chance() < 0.9 ? 0 : 1 + Math.floor(chance() * 3)
  })
  const bytes = new Uint8Array(devices / 4)
  for (const [at, status] of statuses.entries()) {
    bytes[at >> 2] = (bytes[at >> 2] ?? 0) | (status << (2 * (at % 4)))
  }
  return { statuses, bytes }
}

test('@sd-jwt/jwt-status-list reads each status out of what is compressed', async () => {
  const { statuses, bytes } = fleetOf(20_000)
  const lst = Buffer.from(await compressStatuses(bytes)).toString('base64url')
  expect(StatusList.decompressStatusList(lst, 2).statusList.join('')).toBe(statuses.join(''))
})

test('a fleet of one status takes little, and one by chance no more than chance makes it', async () => {
  expect((await compressStatuses(new Uint8Array(1 << 18))).length).toBeLessThan(1024)
  const { bytes } = fleetOf(400_000)
  // Shannon: 0.9 of one status and 0.1 of three are 0.6275 bits a device.
  const least = (400_000 * 0.6275) / 8
  expect((await compressStatuses(bytes)).length).toBeLessThan(least * 1.06)
})

const hasPython = spawnSync('python3', ['--version']).status === 0

describeWith('python', hasPython, "Python's zlib module", () => {
  test('inflates what is compressed', async () => {
    const { bytes } = fleetOf(20_000)
    const program =
      'import sys, zlib; sys.stdout.buffer.write(zlib.decompress(sys.stdin.buffer.read()))'
    const input = await compressStatuses(bytes)
    const { status, stdout } = spawnSync('python3', ['-c', program], { input })
    expect(status).toBe(0)
    expect(stdout.equals(Buffer.from(bytes))).toBe(true)
  })
})
