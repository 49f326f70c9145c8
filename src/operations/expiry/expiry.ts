import { COMMAND } from '../../base/command.ts'

/** What of the service comes to an end by itself. */
export const EXPIRY_KINDS = [
  'trust_anchor',
  'intermediate',
  'issuer_certificate',
  'provider_key',
  'enclave',
  'azure_policy',
  'signing_key',
  'key_certificate',
  'client_secret',
  'break_glass_key',
  'allowance',
  'pin',
  'hold',
] as const

export type ExpiryKind = (typeof EXPIRY_KINDS)[number]

/** One thing that ends, in the words of whoever looks after it. */
export type Expiry = {
  readonly kind: ExpiryKind
  /** Tells it from all others of its kind, and stays as it is until it ends: an id, a fingerprint. */
  readonly id: string
  /** What people call it. */
  readonly name: string
  /** Where it stands: a setting, the reference values, the database. */
  readonly source: string
  /** When it began, where that is known. */
  readonly since: Date | null
  /** From then on it does not count any more; may be past for what is still configured. */
  readonly at: Date
  /** What happens then. */
  readonly breaks: string
  /** What to do before. */
  readonly remedy: string
  /** `automatic`: the service takes care of it by itself, so that nobody has to be told before it is overdue. */
  readonly renewal: 'manual' | 'automatic'
}

/** What is the same of all things of one kind. */
export const EXPIRY_TEXTS: Readonly<
  Record<ExpiryKind, Pick<Expiry, 'breaks' | 'remedy' | 'renewal'>>
> = {
  trust_anchor: {
    breaks: 'attestation keys under this root are refused at their next attestation',
    remedy: `list the root that follows it beside it, preview and release (${COMMAND} anchors import, or AK_TRUST_ANCHORS)`,
    renewal: 'manual',
  },
  intermediate: {
    breaks: 'paths that need this certificate end nowhere, unless its authority is fetched from',
    remedy: 'put the certificate that follows it into the setting beside it, and restart',
    renewal: 'manual',
  },
  issuer_certificate: {
    breaks:
      'it is fetched anew from its authority; where that cannot be reached, attestation keys under it are refused',
    remedy: 'see to it that the service reaches the authority that the certificate names',
    renewal: 'automatic',
  },
  provider_key: {
    breaks: 'tokens that this key of the provider signed are refused',
    remedy: 'the provider publishes another one; see to it that its key set can be fetched',
    renewal: 'automatic',
  },
  enclave: {
    breaks:
      'the enclave is not listed any more: clauses that ask for a listed one deny its devices',
    remedy: `release reference values with a later valid_until, or with the entry that follows (${COMMAND} policy apply)`,
    renewal: 'manual',
  },
  azure_policy: {
    breaks: 'tokens of the provider under this policy are refused, and recorded ones do not count',
    remedy: `pin the policy that is in force at the provider (${COMMAND} azure policy pin)`,
    renewal: 'manual',
  },
  signing_key: {
    breaks: 'nothing, as another key follows by itself, and what this one signed counts to its end',
    remedy: 'none; where it is overdue, look at the log for keys_not_followed',
    renewal: 'automatic',
  },
  key_certificate: {
    breaks:
      'whoever reads the key out of its certificate, as clients of Azure Attestation do, refuses what it signed',
    remedy: `have another key follow (${COMMAND} keys rotate)`,
    renewal: 'manual',
  },
  client_secret: {
    breaks: 'the client is refused: it gets no decisions and no tokens',
    remedy: `give it another secret, and hand that out (${COMMAND} clients rotate)`,
    renewal: 'manual',
  },
  break_glass_key: {
    breaks:
      'tokens that this key signed are refused; too few other keys may be left to break the glass',
    remedy: `make another key, and put it into BREAK_GLASS_KEYS (${COMMAND} break-glass keygen)`,
    renewal: 'manual',
  },
  allowance: {
    breaks: 'what policy says of these devices decides again: those that fail are denied',
    remedy: `repair the devices, or allow them anew (${COMMAND} rollout allow)`,
    renewal: 'manual',
  },
  pin: {
    breaks: 'the documents in force decide for these devices, and no longer the pinned version',
    remedy: `see what they would be denied for, or pin them anew (${COMMAND} rollout pin)`,
    renewal: 'manual',
  },
  hold: {
    breaks: 'its cause counts again: devices that meet it are denied',
    remedy: `mend what many devices met at once (${COMMAND} holds list)`,
    renewal: 'automatic',
  },
}

/** Earliest first; what ends at the same moment by its kind and id, so that the order is always the same. */
export function byEnd(a: Expiry, b: Expiry): number {
  const byTime = a.at.getTime() - b.at.getTime()
  if (byTime !== 0) return byTime
  const [first, second] = [`${a.kind} ${a.id}`, `${b.kind} ${b.id}`]
  return first < second ? -1 : Number(first > second)
}

/** Tells it from everything else that ends: one certificate may stand in several places. */
export function nameOfExpiry({ kind, source, id }: Pick<Expiry, 'kind' | 'source' | 'id'>): string {
  return `${kind} ${source} ${id}`
}
