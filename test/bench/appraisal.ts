import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { toBase64Url } from '../../src/base/encoding.ts'
import { primeSharingKeys } from '../../src/simulator/key-source.ts'
import { startVirtualDevice } from '../../src/simulator/virtual-device.ts'
import type { AppraisalFile, AppraisalInput } from './appraisal-variant.ts'
import { runChild } from './child.ts'
import { makeMessage } from './message.ts'
import type { BenchOptions } from './options.ts'
import { type PathResult, type Round, type Run, runRounds } from './rounds.ts'

/** Every device has keys of its own, so that nothing about a key can be known beforehand. */
const DEVICES = 16
const WARM_UP_SECONDS = 4

/**
 * The built-in verifier, from the text of a message to verified evidence with its claims, against
 * the hashes and signature checks in it. Signing the token belongs to neither.
 */
export async function measureAppraisal(
  options: BenchOptions,
  onRound: (round: Round) => void,
): Promise<PathResult> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-bench-'))
  try {
    const file = join(folder, 'messages.json')
    await writeFile(file, JSON.stringify(await prepareMessages()))
    const run = (variant: AppraisalInput['variant']) => {
      const { seconds } = options
      const input = { variant, file, warmUpSeconds: WARM_UP_SECONDS, seconds }
      return runChild<Run>('appraisal-variant.ts', input satisfies AppraisalInput)
    }
    return await runRounds(options.rounds, run, onRound)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function prepareMessages(): Promise<AppraisalFile> {
  const serviceContextKey = randomBytes(32)
  const keys = primeSharingKeys()
  const messages: string[] = []
  for (let index = 0; index < DEVICES; index++) {
    const device = await startVirtualDevice({ name: `bench ${index}`, keys })
    messages.push(await makeMessage(device, { serviceContextKey, now: new Date() }))
  }
  return { serviceContextKey: toBase64Url(serviceContextKey), messages }
}
