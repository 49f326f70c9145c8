import { ANY_DENIALS } from '../../operations/release/gates.ts'
import {
  ACCEPT_ALL_DENIALS,
  ACCEPT_DENIALS,
  duration,
  flag,
  oneOf,
  preset,
  text,
  type ValuesOf,
} from '../framework/options.ts'
import { KINDS } from './document-kinds.ts'

export const FILE_HELP = 'the document; - is standard input'

/** Which kind of document something is limited to. */
export const ANY_KIND = oneOf('KIND', `only of ${KINDS.toReversed().join(' or ')}`, KINDS)

/** Which kind of document is meant, for every verb that takes one. */
export const KIND = preset(oneOf('KIND', KINDS.toReversed().join(' or '), KINDS), 'policy')

export const PREVIEW_MAX_AGE = preset(
  duration('AGE', 'how old a preview may be that counts: 90s, 30m, 2d; without one it is made'),
  '1h',
)

export const DESPITE = text(
  'ROLLOUT',
  'DANGER: release it although this rollout of it has halted; the reason is kept with it',
)

export const EXPECTED = text(
  'HASH',
  'only if this document (its whole hash) is in force; goes back also from what a rollout fell back to',
)

/** What brings a document into force takes these. */
export const RELEASE_OPTIONS = {
  acceptDenials: ACCEPT_DENIALS,
  previewMaxAge: PREVIEW_MAX_AGE,
  atOnce: flag('DANGER: no rollout; it decides for all devices with their next request'),
  despite: DESPITE,
}

export function readRelease(values: ValuesOf<typeof RELEASE_OPTIONS>) {
  const { acceptDenials: acceptedDenials, previewMaxAge: maxAgeMs, atOnce, despite } = values
  return {
    acceptedDenials,
    maxAgeMs,
    despite,
    way: { kind: atOnce ? 'at_once' : 'by_size' },
    clock: () => new Date(),
  } as const
}

/** What takes a document back takes these. */
export const WAY_BACK_OPTIONS = {
  acceptDenials: ACCEPT_DENIALS,
  acceptAllDenials: ACCEPT_ALL_DENIALS,
  previewMaxAge: PREVIEW_MAX_AGE,
}

export function readWayBack(values: ValuesOf<typeof WAY_BACK_OPTIONS>) {
  const { acceptDenials, acceptAllDenials, previewMaxAge: maxAgeMs } = values
  return { acceptedDenials: acceptAllDenials ? ANY_DENIALS : acceptDenials, maxAgeMs }
}

/** The exit code of what counts the devices that would lose their access. */
export const RELEASE_EXITS = {
  refused: 'errors in a document, devices would lose access that is not accepted, or you said no',
  interrupted: 'stopped; no document came into force from here on',
} as const
