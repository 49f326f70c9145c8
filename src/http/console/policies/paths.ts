import type { DocumentKind } from '../../../rollout/in-force.ts'

export const POLICIES_PATH = '/console/policies'

export const DOCUMENT_TITLES: Readonly<Record<DocumentKind, string>> = {
  policy: 'Policy',
  'reference-values': 'Reference values',
}

export const DOCUMENT_KINDS = Object.keys(DOCUMENT_TITLES) as readonly DocumentKind[]

export function kindOf(text: string | undefined): DocumentKind | undefined {
  return DOCUMENT_KINDS.find((kind) => kind === text)
}

export function kindPath(kind: DocumentKind): string {
  return `${POLICIES_PATH}/${kind}`
}

export function versionPath(kind: DocumentKind, hash: string): string {
  return `${kindPath(kind)}/versions/${hash}`
}

const SHOWN_HASH = 12

export function shortHash(hash: string): string {
  return hash.slice(0, SHOWN_HASH)
}
