import type { Log } from '../base/log.ts'
import type { Config } from '../config/config.ts'
import { developerContradictions } from '../config/developer.ts'
import type { DeveloperMode } from '../operations/attest/answer-message.ts'
import type { RulesReader } from '../operations/release/rules-in-force.ts'

/** Where an operator who did not mean it finds what to do. */
const REMEDY = 'start the service without --developer where devices are real'

/**
 * Says at each start that refusals tell what was compared. Throws for the operator where the settings are
 * those of production, and where reference values list trust anchors: whoever lists them decides about
 * real devices.
 */
export async function beginDeveloperMode(input: {
  readonly config: Config
  readonly rules: Pick<RulesReader, 'recent'>
  readonly log: Log
}): Promise<void> {
  const { config, rules, log } = input
  const mistakes = developerContradictions(config)
  if (mistakes.length > 0) throw new Error(mistakes.join('\n'))
  if (!(await developerMode(rules).isAllowed())) {
    throw new Error(
      `--developer: the reference values in force list trust anchors, so that this service decides about real devices; ${REMEDY}`,
    )
  }
  log.warn('developer_mode', {
    consequence: 'refused evidence is answered with the values that were compared',
    remedy: REMEDY,
  })
}

/** Allowed as long as no reference values that decide for any device list trust anchors. */
export function developerMode(rules: Pick<RulesReader, 'recent'>): DeveloperMode {
  return {
    async isAllowed() {
      const { referenceValues } = await rules.recent()
      return referenceValues.every(({ requiresHardware }) => !requiresHardware)
    },
  }
}
