import type { DocumentKind } from '../../store/schema.ts'
import type { Store } from '../../store/store.ts'

export type PreviewToRun = {
  readonly store: Store
  readonly kind: DocumentKind
  /** Parsed JSON. */
  readonly body: unknown
  readonly by: string
  readonly json: boolean
  readonly signal?: AbortSignal
}

export type PreviewOutcome = { readonly exitCode: 0 | 3; readonly newlyDenied: number }

/**
 * Previews a document over the recorded fleet, prints what it finds and keeps it on record. Loaded
 * when it is needed, as most calls of the command have no use for it.
 */
export async function runPreview(input: PreviewToRun): Promise<PreviewOutcome> {
  const preview = await import('./preview.ts')
  return preview.runPreview(input)
}
