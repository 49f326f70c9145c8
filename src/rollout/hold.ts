/**
 * What many devices can be denied for at once without any of them having done anything: a clause
 * that reads the clock, a verifier's policy or a root that is no longer believed, a verifier that
 * nobody reaches. A refused proof or signature is none of these: it is about one device.
 */
export type Cause =
  | { readonly kind: 'clause'; readonly clause: string }
  | { readonly kind: 'policy_not_pinned'; readonly issuer: string }
  | { readonly kind: 'anchor_not_listed'; readonly anchor: string }
  | { readonly kind: 'hardware_unproven' }
  | { readonly kind: 'stale'; readonly issuer: string }

/** A cause that does not count for the devices that met it first in the time of the hold. */
export type Hold = {
  /** `hld_…` */
  readonly holdId: string
  readonly cause: Cause
  /** Devices that met the cause before this are denied as ever. */
  readonly covers: Date
  readonly since: Date
  /** The hold ends by itself. */
  readonly until: Date
}

/** Equal for equal causes. */
export function keyOfCause(cause: Cause): string {
  switch (cause.kind) {
    case 'clause':
      return `clause ${cause.clause}`
    case 'anchor_not_listed':
      return `anchor_not_listed ${cause.anchor}`
    case 'hardware_unproven':
      return cause.kind
    case 'policy_not_pinned':
    case 'stale':
      return `${cause.kind} ${cause.issuer}`
  }
}
