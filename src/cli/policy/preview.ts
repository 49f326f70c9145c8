import { previewDocument } from '../../operations/release/preview.ts'
import { countLosses } from '../../replay/preview/summary.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { Store } from '../../store/store.ts'
import { EXIT } from '../framework/command.ts'
import { printJson, printText } from '../framework/output.ts'
import { createProgress, renderBar } from '../framework/progress.ts'
import { describePreview } from './describe-preview.ts'

export type PreviewToRun = {
  readonly store: Store
  readonly kind: DocumentKind
  /** Parsed JSON. */
  readonly body: unknown
  readonly by: string
  /** Whether the configuration says that hardware has to be proven. */
  readonly requiresHardware: boolean
  readonly json: boolean
  readonly signal?: AbortSignal
}

export type PreviewOutcome = { readonly exitCode: number; readonly newlyDenied: number }

/**
 * Previews a document over the recorded fleet, prints what would change and keeps it on record.
 * The exit code is `refused` when devices would lose access. Progress goes to standard error; where the signal
 * ends it, nothing is recorded and the signal's reason is thrown.
 */
export async function runPreview(input: PreviewToRun): Promise<PreviewOutcome> {
  const { store, kind, body, by, requiresHardware, json, signal } = input
  const clock = () => new Date()
  const progress = createProgress(process.stderr, clock)
  try {
    const previewed = await previewDocument({
      store,
      kind,
      candidate: body,
      by,
      requiresHardware,
      clock,
      signal,
      onProgress: ({ devices, total }) =>
        progress.show(
          `${renderBar(devices, total)}  ${devices.toLocaleString('en')} of ${total.toLocaleString('en')} devices`,
        ),
    })
    progress.end()
    if (!previewed.ok) throw new Error(`the document is refused: ${previewed.failure.reason}`)
    const summary = previewed.value
    if (json) printJson(summary)
    else printText(describePreview(summary))
    const newlyDenied = countLosses(summary)
    return { exitCode: newlyDenied === 0 ? EXIT.done : EXIT.refused, newlyDenied }
  } finally {
    progress.end()
  }
}
