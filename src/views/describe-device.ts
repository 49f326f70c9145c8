import type { Relief } from '../access/relief.ts'
import { describeShortfall, type UnmetClause } from '../access/unmet.ts'
import type { AssessedDevice } from '../operations/devices/assess-device.ts'
import type { Override } from '../rollout/override.ts'

/** `untrusted`, or `trusted (grace)`: the verdict and what keeps it so. */
export function describeVerdict({ verdict, relief }: AssessedDevice): string {
  const kinds = [...new Set(relief.map(({ kind }) => kind))]
  return kinds.length === 0 ? verdict : `${verdict} (${kinds.join(', ')})`
}

/** Why it is not trusted, what does not count for the moment, and those of its unmet clauses that are asked for. */
export function describeWhy(
  device: AssessedDevice,
  isTold: (clause: UnmetClause) => boolean,
): string {
  const { reasons, relief, overrides } = device
  return [
    ...reasons.flatMap((reason) => ('clause' in reason ? [] : [reason.code])),
    ...relief.map(describeRelief),
    ...overrides.filter(({ action }) => action === 'pin').map(describeOverride),
    ...device.unmet.filter(isTold).map(describeUnmet),
  ].join('; ')
}

/** `bitlocker_on (reported): bitlockerEnabled false, needs true`. */
export function describeUnmet({
  clause,
  severity,
  status,
  cause,
  shortfalls,
}: UnmetClause): string {
  const marks = [
    ...(severity === 'report' ? ['reported'] : []),
    ...(status === 'fail' ? [] : [status]),
  ]
  const mark = marks.length === 0 ? '' : ` (${marks.join(', ')})`
  const why = shortfalls.length > 0 ? shortfalls.map(describeShortfall).join(', ') : cause
  return `${clause}${mark}${why === undefined ? '' : `: ${why}`}`
}

const RELIEVED: Readonly<Record<Relief['kind'], string>> = {
  grace: 'in grace',
  hold: 'held',
  outage_grace: 'in outage grace',
  allowance: 'allowed by an administrator',
}

/** `bitlocker_on in grace until 2026-12-01T08:00:00.000Z`. */
export function describeRelief({ kind, reason, until }: Relief): string {
  return `${reason === undefined ? '' : `${reason} `}${RELIEVED[kind]} until ${until.toISOString()}`
}

/** `pinned to policy 0123456789ab until …, for its label lab`. */
export function describeOverride(override: Override): string {
  const what =
    override.action === 'pin'
      ? `pinned to ${override.kind} ${override.hash.slice(0, 12)}`
      : 'allowed'
  const { target, expiresAt } = override
  const whom = target.kind === 'label' ? `, for its label ${target.name}` : ''
  return `${what} until ${expiresAt.toISOString()}${whom}`
}
