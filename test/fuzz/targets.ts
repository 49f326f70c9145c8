import { binaryTargets } from './binary-targets.ts'
import type { Target } from './fuzz.ts'
import { makeRequests } from './requests.ts'
import { textTargets } from './text-targets.ts'

/** Every parser of what outsiders send that there is something to begin from. */
export async function allTargets(): Promise<readonly Target[]> {
  const all = [...binaryTargets(), ...textTargets(await makeRequests())]
  return all.filter(({ seeds }) => seeds.length > 0)
}
