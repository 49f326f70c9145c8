import { COMMAND } from '../../base/command.ts'
import { plural } from '../../base/words.ts'
import type { Config } from '../../config/config.ts'
import type { DrillSummary } from '../../replay/outage/summary.ts'
import { count } from '../framework/numbers.ts'
import { span } from './words.ts'

type Settings = Pick<Config, 'verifiers'>

const LONGEST_GRACE_SECONDS = 604_800

/** What to do next, in sentences that name settings and commands. */
export function adviseOnOutage(summary: DrillSummary, settings: Settings): string {
  const { trusted, without_grace, with_grace } = summary
  if (trusted === 0) return adviseOnNobody(summary)
  if (without_grace.devices === 0) return 'Next: nothing. Nobody would be denied, grace or not.'
  if (with_grace.devices === 0) {
    return `Next: nothing. The grace keeps access for all ${plural(without_grace.devices, 'device')} that would be denied without it.`
  }
  const advice = [...adviseOnAge(summary, settings), ...adviseOnRules(summary)]
  const title = `Next: with the grace ${plural(with_grace.devices, 'device')} would be denied. What helps:`
  return [title, ...advice.map((line) => `  - ${line}`)].join('\n')
}

function adviseOnNobody({ verifier, other_verifiers, not_counted }: DrillSummary): string {
  if (verifier !== null && other_verifiers.length > 0) {
    const names = other_verifiers.map(({ issuer }) => issuer).join(', ')
    return `Next: no trusted device has attested with ${verifier}. Name another one with --verifier: ${names}`
  }
  if (not_counted.before_outage > 0) {
    return 'Next: all trusted devices have to attest again before that; let the outage begin earlier (--from).'
  }
  return 'Next: nobody has access that an outage could end. Let devices attest, then rehearse again.'
}

/** Evidence that ends in the outage. */
function adviseOnAge(summary: DrillSummary, { verifiers }: Settings): readonly string[] {
  const { by_reason, grace_needed_seconds: needed, verifier, without_grace, from } = summary
  const stale = by_reason.find(({ reason }) => reason === 'stale')?.with_grace ?? 0
  if (stale === 0) return []
  const advice: string[] = []
  if (needed !== null && needed <= LONGEST_GRACE_SECONDS) {
    advice.push(
      `Raise OUTAGE_GRACE_SECONDS to ${needed} (${span(needed * 1000)}): then no evidence ends before the outage does.`,
    )
  } else {
    advice.push(
      `No OUTAGE_GRACE_SECONDS is enough (${LONGEST_GRACE_SECONDS} is the most): break-glass tokens and allowances are left (${COMMAND} break-glass, ${COMMAND} rollout allow).`,
    )
  }
  if (verifiers.length < 2) {
    advice.push('List a second verifier in VERIFIERS: agents can attest with it meanwhile.')
  } else if (verifier === null) {
    advice.push(
      `VERIFIERS lists ${verifiers.length}: rehearse the outage of one (--verifier URL); agents can go to the next.`,
    )
  } else {
    advice.push('VERIFIERS lists others: see that agents can attest with them; none did in here.')
  }
  const first = Date.parse(without_grace.first ?? from) - Date.parse(from)
  advice.push(
    `Let agents attest again long before their evidence ends: the first ends ${span(first)} into the outage. ATTESTATION_VALIDITY_SECONDS says for how long it counts.`,
  )
  return advice
}

/** What would be denied without any outage, too. */
function adviseOnRules({ by_reason }: DrillSummary): readonly string[] {
  const lost = by_reason.filter(({ reason, with_grace }) => reason !== 'stale' && with_grace > 0)
  if (lost.length === 0) return []
  const devices = lost.reduce((sum, { with_grace }) => sum + with_grace, 0)
  const names = lost.slice(0, 3).map(({ reason }) => reason)
  return [
    `Look at ${names.join(', ')}${lost.length > names.length ? ' …' : ''} (${COMMAND} policy lint): by the clock ${count(devices)} of them are denied for that, which no grace for outages changes.`,
  ]
}
