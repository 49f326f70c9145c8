import { COMMAND } from '../base/command.ts'

/**
 * How much haste there is: `critical` wakes somebody, `warning` waits for the morning, `info` is to be known.
 */
export const SEVERITIES = ['critical', 'warning', 'info'] as const

export type Severity = (typeof SEVERITIES)[number]

export type AlarmText = {
  readonly severity: Severity
  /** What is wrong, in one sentence without names. */
  readonly summary: string
  /** What to do next. */
  readonly remedy: string
}

/**
 * Every alarm there is, under the name that webhooks, commands, the API, the metric and the rules for
 * Prometheus call it by. An alarm stands as long as what it tells of does; what happens in a moment, such as a
 * broken glass, stands for a quarter of an hour.
 */
export const ALARMS = {
  attestations_refused: {
    severity: 'warning',
    summary: 'Half of all attempts to attest, or more, are refused.',
    remedy: `See by what reason (countersign_refusals_total, ${COMMAND} devices refused) and what changed: agents, a provider, reference values.`,
  },
  break_glass_used: {
    severity: 'critical',
    summary: 'A break-glass token has granted access.',
    remedy: 'Find its jti and signers in the log (break_glass_used), and ask them.',
  },
  clause_fails_many: {
    severity: 'warning',
    summary: 'An enforced clause fails for one in twenty devices or more.',
    remedy: `See which devices (${COMMAND} devices list --clause CLAUSE); halt or revert a rollout of it, or repair them.`,
  },
  clients_guessed: {
    severity: 'warning',
    summary: 'Somebody tries out secrets of API clients.',
    remedy: `Look for client_refused in the log; rotate the client that is named (${COMMAND} clients rotate).`,
  },
  database_away: {
    severity: 'critical',
    summary: 'Requests could not be answered because the database did not answer in time.',
    remedy:
      'Look at PostgreSQL, its connections and locks (countersign_store_faults_total says by what).',
  },
  dead_letters: {
    severity: 'warning',
    summary: 'A receiver has refused events that are kept for it.',
    remedy: `See what it says and mend that (${COMMAND} streams dead STREAM_ID), then have them sent again (streams replay).`,
  },
  decision_lines_left_out: {
    severity: 'info',
    summary: 'Lines of the log of decisions were left out, as standard output is too slow.',
    remedy: 'Have whoever reads standard output keep up, or lower DECISION_LOG.',
  },
  devices_will_fail: {
    severity: 'warning',
    summary:
      'One in a hundred allowed devices or more would fail within days if nobody changes anything.',
    remedy: `See by what (${COMMAND} expiry) and renew or release that before.`,
  },
  document_unusable: {
    severity: 'critical',
    summary: 'A document that a rollout or a pin names is missing or does not compile.',
    remedy: `Devices go without it: end the rollout or the pin (${COMMAND} rollout list).`,
  },
  expires_soon: {
    severity: 'warning',
    summary: 'Something that nobody renews by itself ends soon, or has ended.',
    remedy: `See what breaks and what to do (${COMMAND} expiry).`,
  },
  hold_active: {
    severity: 'warning',
    summary: 'Many good devices met a cause of denial at once: it does not count for a while.',
    remedy: `Find out whether the cause is right (${COMMAND} holds list) before the hold ends.`,
  },
  partitions_missing: {
    severity: 'warning',
    summary: 'A partition of a table could not be made: rows go to the default one.',
    remedy:
      'Look for partition_missing in the log, and at the privileges and the disk of the database.',
  },
  request_keys_shared: {
    severity: 'warning',
    summary: 'A device attested by a request key that another device had proven before.',
    remedy:
      'One key on two devices is a copied agent or a theft: look for the devices in the audit log.',
  },
  rollout_halted: {
    severity: 'warning',
    summary: 'A rollout has halted by itself: it denied more devices than its budget allows.',
    remedy: `See why (${COMMAND} rollout show ROLLOUT_ID), mend the document, and release it anew.`,
  },
  service_faults: {
    severity: 'critical',
    summary: 'Requests end in faults of the service or of its infrastructure.',
    remedy:
      'Look for fault in the log of the process (countersign_faults_total says at which surface).',
  },
  stream_failing: {
    severity: 'warning',
    summary: 'Nothing arrives at a receiver of events.',
    remedy: `See what keeps it (${COMMAND} streams show STREAM_ID); after a day the stream is paused.`,
  },
  stream_paused: {
    severity: 'warning',
    summary: 'A stream was paused because nothing arrived for a day.',
    remedy: `Mend the receiver, then enable it (${COMMAND} streams status STREAM_ID enabled --reason TEXT).`,
  },
  sweep_stands: {
    severity: 'warning',
    summary:
      'The fleet was not looked at as a whole for six hours: changes of verdicts are told late.',
    remedy: 'Look for control_failed with round sweep in the log, and at the load of the database.',
  },
  test: {
    severity: 'info',
    summary: 'A test of this destination.',
    remedy: 'Nothing: it arrived.',
  },
  verifier_outage: {
    severity: 'critical',
    summary: 'A verifier does not answer, or none of its tokens is accepted.',
    remedy: `See who would be denied, and when (${COMMAND} drill outage), and look at the provider.`,
  },
} as const satisfies Readonly<Record<string, AlarmText>>

export type AlarmName = keyof typeof ALARMS

export const ALARM_NAMES = Object.keys(ALARMS) as readonly AlarmName[]

export function isAlarmName(text: string): text is AlarmName {
  return Object.hasOwn(ALARMS, text)
}

/** What is wrong now: an alarm and what it is about. */
export type Alarm = {
  readonly name: AlarmName
  /** What it is about, so that one alarm may stand of several things: an id; empty for the whole deployment. */
  readonly subject: string
  /** A step within one alarm that is told anew, such as how many days are left; empty where there are none. */
  readonly level: string
  /** What else is known of it: ids, numbers, times. Nothing of a person. */
  readonly detail: Readonly<Record<string, AlarmValue>>
  /** Until when it stands although nobody finds it any more; null for what is looked for in each round. */
  readonly until: Date | null
}

export type AlarmValue = string | number | boolean | null

/** An alarm that stands, as it is kept. */
export type StandingAlarm = Alarm & {
  /** When it was raised. */
  readonly since: Date
}

/** What has to be told and kept when `found` is what is wrong now and `standing` what was before. */
export type AlarmChanges = {
  /** New ones, and such as have come to another level. */
  readonly raised: readonly Alarm[]
  /** Those that are told already, of which the detail or the time is another. */
  readonly renewed: readonly Alarm[]
  readonly cleared: readonly StandingAlarm[]
}

/**
 * Holds what is wrong now against what was told. What is found in a moment (`until`) stays until that is over,
 * whether or not it is found again.
 */
export function compareAlarms(
  standing: readonly StandingAlarm[],
  found: readonly Alarm[],
  now: Date,
): AlarmChanges {
  const before = new Map(standing.map((alarm) => [keyOf(alarm), alarm]))
  const after = new Map(found.map((alarm) => [keyOf(alarm), alarm]))
  const all = [...after.values()]
  const isTold = (alarm: Alarm) => before.get(keyOf(alarm))?.level === alarm.level
  return {
    raised: all.filter((alarm) => !isTold(alarm)),
    renewed: all.filter((alarm) => isTold(alarm) && isOtherwise(before.get(keyOf(alarm)), alarm)),
    cleared: standing.filter((alarm) => {
      return !after.has(keyOf(alarm)) && (alarm.until === null || alarm.until <= now)
    }),
  }
}

function keyOf({ name, subject }: Pick<Alarm, 'name' | 'subject'>): string {
  return `${name} ${subject}`
}

function isOtherwise(before: Alarm | undefined, after: Alarm): boolean {
  return describeRest(before) !== describeRest(after)
}

/** jsonb does not keep the order of members. */
function describeRest(alarm: Alarm | undefined): string {
  const members = Object.entries(alarm?.detail ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify([members, alarm?.until?.getTime() ?? null])
}
