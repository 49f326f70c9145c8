import { CLAIM_NAMES, CLAIMS, type MeasuredAt } from '../../appraisal/claims.ts'
import type { Config } from '../../config/config.ts'
import { explainQuestion } from '../../operations/decide/explain-question.ts'
import { completeQuestion } from '../../operations/decide/hypothesis.ts'
import type { Store } from '../../store/store.ts'
import { showExplanation } from '../../views/show-explanation.ts'
import { describeExplanation } from '../decide/describe-explanation.ts'
import { EXIT } from '../framework/command.ts'
import { printJson, printText } from '../framework/output.ts'
import { deviceFinder } from './filters.ts'

/**
 * Says why a device is granted or denied: each clause with what it asks and what it read, when that was measured,
 * and what repairs it. It is what a question about any resource would be answered, and nothing is written.
 */
export async function explainDevice(
  store: Store,
  config: Config,
  { id, json, now }: { readonly id: string; readonly json: boolean; readonly now: Date },
): Promise<number> {
  const request = completeQuestion({}, id)
  if (!request.ok) throw new Error(request.failure.message)
  const { rules } = deviceFinder(store, config)
  const asked = { about: { deviceId: id }, request: request.value, at: now, documents: {} }
  const explained = await explainQuestion({ store, rules, clock: () => now }, asked)
  if (!explained.ok) throw new Error(`there is no device ${id}`)
  const shown = showExplanation(explained.value)
  if (json) printJson(shown)
  else printText(describeExplanation(shown, { isWhole: true, noteOf: whenMeasured }))
  return shown.decision ? EXIT.done : EXIT.refused
}

const WHEN: Readonly<Record<MeasuredAt, string>> = {
  boot: 'at boot: restart to see a change',
  resume: 'at boot or resume',
  now: 'when it attested',
}

/** When what a clause reads was measured; nothing for what nobody measured. */
function whenMeasured(path: string): string | undefined {
  const [root, member] = path.split('.')
  const claim = root === 'attestation' ? CLAIM_NAMES.find((name) => name === member) : undefined
  return claim && WHEN[CLAIMS[claim].measuredAt]
}
