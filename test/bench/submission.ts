import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runChild } from './child.ts'
import { DEVICES, type Fleet, isDenied } from './fleet.ts'
import type { BenchOptions } from './options.ts'
import { type PathResult, type Round, type Run, runRounds } from './rounds.ts'
import type { SubmissionInput, SubmissionItem } from './submission-variant.ts'
import { countUp, runConcurrently } from './variant.ts'

/** About what one second uses up on two slow cores. */
const ITEMS_PER_SECOND = 1500
const SIGNING = 8

/**
 * Attestation submission against the bare sum of its three signatures (token, proof, device token) and one recording call, both
 * inside the process: the floor has no HTTP, so the path gets its requests as objects too.
 *
 * Every run hands in the same submissions, each by a device of its own, half of them to warm up and
 * half to be measured; what was written is removed before. Both variants write the same rows.
 */
export async function measureSubmission(
  options: BenchOptions,
  fleet: Fleet,
  onRound: (round: Round) => void,
): Promise<PathResult> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-bench-'))
  try {
    const file = join(folder, 'submissions.json')
    const items = await prepareItems(fleet, 2 * Math.ceil(options.seconds * ITEMS_PER_SECOND))
    await writeFile(file, JSON.stringify(items))
    const run = (variant: SubmissionInput['variant']) => {
      const input = { variant, environment: fleet.environment, file }
      return runChild<Run>('submission-variant.ts', input satisfies SubmissionInput)
    }
    return await runRounds(options.rounds, run, onRound)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function prepareItems(fleet: Fleet, count: number): Promise<readonly SubmissionItem[]> {
  const devices = Array.from({ length: DEVICES }, (_, index) => index).filter(
    (index) => !isDenied(index),
  )
  if (count > devices.length) throw new Error(`--seconds: there are ${devices.length} devices`)
  const items: SubmissionItem[] = []
  await runConcurrently(SIGNING, {
    next: countUp(0, count),
    run: async (item) => {
      const index = devices[item] ?? 0
      const { token, proof } = await fleet.makeSubmission(index)
      items[item] = { token, proof, recording: fleet.recordingOf(index) }
    },
  })
  return items
}
