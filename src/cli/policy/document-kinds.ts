import type { DocumentKind } from '../../rollout/in-force.ts'

/** In the order in which changes of both come into force: what a policy asks for is listed first. */
export const KINDS = ['reference-values', 'policy'] as const satisfies readonly DocumentKind[]

/** The file of each kind in a folder of documents. */
export const FILE_OF_KIND: Readonly<Record<DocumentKind, string>> = {
  policy: 'policy.json',
  'reference-values': 'reference-values.json',
}

/** What people call one document of a kind. */
export const NAME_OF_KIND: Readonly<Record<DocumentKind, string>> = {
  policy: 'policy',
  'reference-values': 'set of reference values',
}

export function kindOption(kind: DocumentKind): string {
  return kind === 'policy' ? '' : ` --kind ${kind}`
}
