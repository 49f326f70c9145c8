import { ALARM_NAMES, type AlarmName, isAlarmName } from '../../alerts/alarms.ts'
import { COMMAND } from '../../base/command.ts'
import { suggestName } from '../../policy/language/suggest.ts'
import { isPushUrl } from '../../signals/stream-request.ts'
import { UsageError } from '../framework/usage-error.ts'

export function readName(text: string, label: string): AlarmName {
  if (isAlarmName(text)) return text
  const meant = suggestName(text, ALARM_NAMES)
  const hint =
    meant === undefined ? `${COMMAND} alarms explain lists them` : `did you mean ${meant}?`
  throw new UsageError(`${label}: there is no alarm '${text}': ${hint}`)
}

/** An https URL that alarms are posted to. */
export function readUrl(text: string, label: string): string {
  if (isPushUrl(text)) return text
  throw new UsageError(`${label} must be an https URL without a name, a password or a fragment`)
}
