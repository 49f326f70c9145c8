import type { ShadowDecisions } from '../decide/shadow.ts'
import { logHalt, type RolloutReporters } from './log-rollout.ts'

export type ReportShadowDependencies = RolloutReporters & {
  readonly shadow: Pick<ShadowDecisions, 'report'>
  readonly clock: () => Date
}

/**
 * Tells the store what rollouts did, or would have done, to the questions that this process was
 * asked; halts those over their budget. Called between rounds too, where that cannot wait.
 */
export async function reportShadowDecisions(dependencies: ReportShadowDependencies): Promise<void> {
  const { shadow, clock } = dependencies
  const halted = await shadow.report(clock())
  for (const rollout of halted) logHalt(dependencies, rollout, 'denied_questions')
}
