import type { ReferenceValues, Validity } from '../../appraisal/reference-values.ts'
import type { Hold } from '../../rollout/hold.ts'
import { type Control, versionsInForce } from '../../rollout/in-force.ts'
import type { Override } from '../../rollout/override.ts'
import type { RulesInForce } from '../release/rules-in-force.ts'
import { EXPIRY_TEXTS, type Expiry, type ExpiryKind, nameOfExpiry } from './expiry.ts'

const SOURCE = 'reference values'

/**
 * What of the documents in force, and of the exceptions from them, ends after `now`: entries of every version
 * of the reference values that decides for some device, allowances, pins and holds. Of an entry that
 * several versions have, or that stands twice, the last end counts.
 */
export function expiriesOfRules(
  { control, rulesOf, active }: Pick<RulesInForce, 'control' | 'rulesOf' | 'active'>,
  now: Date,
): readonly Expiry[] {
  const values = versionsInForce(control, 'reference-values').map(
    (hash) => rulesOf(active.policy.hash, hash).referenceValues,
  )
  const entries = lastOfEach(values.flatMap(entriesOf)).filter(
    ({ since, at }) => at > now && (since === null || since <= now),
  )
  return [...entries, ...exceptionsOf(control, now)]
}

function entriesOf(values: ReferenceValues): readonly Expiry[] {
  const { enclavesByAuthor, pinsByIssuer, anchors } = values
  return [
    ...[...anchors].flatMap(([fingerprint, entries]) =>
      entries.map((entry) => entryOf('trust_anchor', entry, fingerprint, entry.name)),
    ),
    ...[...enclavesByAuthor].flatMap(([author, entries]) =>
      entries.map((entry) => {
        const { name, minimumSvn, familyId = '' } = entry
        return entryOf('enclave', entry, [author, familyId, name, minimumSvn].join(':'), name)
      }),
    ),
    ...[...pinsByIssuer].flatMap(([issuer, pins]) =>
      pins.map((pin) =>
        entryOf('azure_policy', pin, `${issuer}:${pin.hash}`, `${issuer} ${pin.hash}`),
      ),
    ),
  ].filter((expiry) => expiry !== undefined)
}

function entryOf(
  kind: ExpiryKind,
  { validFrom, validUntil }: Validity,
  id: string,
  name: string,
): Expiry | undefined {
  if (!Number.isFinite(validUntil)) return undefined
  const since = Number.isFinite(validFrom) ? new Date(validFrom) : null
  return { kind, id, name, source: SOURCE, since, at: new Date(validUntil), ...EXPIRY_TEXTS[kind] }
}

/** One for each id of a kind in one place: that which ends last. */
export function lastOfEach(expiries: readonly Expiry[]): readonly Expiry[] {
  const last = new Map<string, Expiry>()
  for (const expiry of expiries) {
    const key = nameOfExpiry(expiry)
    const known = last.get(key)
    if (known === undefined || known.at < expiry.at) last.set(key, expiry)
  }
  return [...last.values()]
}

function exceptionsOf({ overrides, holds }: Control, now: Date): readonly Expiry[] {
  return [...overrides.map(ofOverride), ...holds.map(ofHold)].filter(({ at }) => at > now)
}

function ofOverride(override: Override): Expiry {
  const kind = override.action === 'pin' ? 'pin' : 'allowance'
  const { overrideId: id, target, createdAt: since, expiresAt: at } = override
  const name = target.kind === 'device' ? target.name : `devices labelled ${target.name}`
  return { kind, id, name, source: 'overrides', since, at, ...EXPIRY_TEXTS[kind] }
}

function ofHold({ holdId: id, cause, since, until: at }: Hold): Expiry {
  const name = cause.kind
  return { kind: 'hold', id, name, source: 'holds', since, at, ...EXPIRY_TEXTS.hold }
}
