import { z } from 'zod'
import { isStorableText } from '../../../base/encoding.ts'
import type { CheckedDocument } from '../../../operations/release/check-document.ts'
import { bodyOf } from '../../../operations/release/check-document.ts'
import type { ReleaseWay } from '../../../operations/release/release.ts'
import type { DocumentKind } from '../../../rollout/in-force.ts'
import { reasonText, rolloutName } from '../../admin/read-body.ts'
import type { HttpContext } from '../../environment.ts'

/** How a version comes into force, by the value of the field. */
export const RELEASE_WAYS = {
  by_size: 'ring by ring, in a small fleet at once',
  rollout: 'ring by ring',
  at_once: 'at once, for every device',
} as const

export type WayName = keyof typeof RELEASE_WAYS
const WAY_NAMES = Object.keys(RELEASE_WAYS) as [WayName, ...WayName[]]

export const storableReason = reasonText.refine(isStorableText, 'has text that cannot be kept')

/** The number of devices that may lose their access by it. */
export const acceptedCount = z.coerce.number().int().min(0).max(100_000_000).default(0)

export const releaseForm = z.strictObject({
  reason: storableReason,
  way: z.enum(WAY_NAMES),
  accept_denials: acceptedCount,
  despite: rolloutName.optional(),
})

export type ReleaseForm = z.infer<typeof releaseForm>

/** With what the form is filled in: a second administrator follows a link that has all of it. */
export type Asked = {
  readonly way: WayName
  readonly accept: number
  readonly despite: string
}

const MOST_CHARS = 64

export function askedOf(c: HttpContext): Asked {
  const { way, accept = '', despite = '' } = c.req.query()
  return {
    way: WAY_NAMES.find((name) => name === way) ?? 'by_size',
    accept: /^\d{1,9}$/.test(accept) ? Number(accept) : 0,
    despite: despite.slice(0, MOST_CHARS),
  }
}

export function wayOf(way: WayName): ReleaseWay {
  return way === 'rollout' ? { kind: 'rollout', plan: {} } : { kind: way }
}

/** The request of the API that does the same: whoever is the second may send either. */
export function requestOf(kind: DocumentKind, way: WayName): string {
  return way === 'rollout' ? 'POST /v1/rollouts' : `PUT /v1/${kind}`
}

/** And its body. */
export function bodyOfRequest(checked: CheckedDocument, form: ReleaseForm): object {
  const { reason, way, accept_denials, despite } = form
  const shared = { reason, accept_denials, ...(despite !== undefined && { despite }) }
  const { kind, compiled } = checked
  return way === 'rollout'
    ? { kind, hash: compiled.hash, plan: {}, ...shared }
    : { document: bodyOf(checked), at_once: way === 'at_once', ...shared }
}
