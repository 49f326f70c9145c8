import { createRandomSource } from '../../base/random.ts'
import { commandReleases } from '../../compose/release.ts'
import type { CheckedDocument } from '../../operations/release/check-document.ts'
import { type PreviewProgress, previewDocument } from '../../operations/release/preview.ts'
import { countLosses } from '../../replay/preview/summary.ts'
import type { Store } from '../../store/store.ts'
import { EXIT } from '../framework/command.ts'
import { printJson, printText } from '../framework/output.ts'
import { createProgress, renderBar } from '../framework/progress.ts'
import { describePreview } from './describe-preview.ts'

export type PreviewToRun = {
  readonly store: Store
  readonly document: CheckedDocument
  readonly by: string
  /** Whether the configuration says that hardware has to be proven. */
  readonly requiresHardware: boolean
  readonly json: boolean
  readonly signal: AbortSignal
}

/**
 * Previews a document over the recorded fleet, prints what would change and keeps it on record. The exit
 * status is `refused` when devices would lose access. Progress goes to standard error; where the signal ends it,
 * nothing is recorded and the signal's reason is thrown.
 */
export async function runPreview(input: PreviewToRun): Promise<number> {
  const { store, document, by, requiresHardware, json, signal } = input
  const clock = () => new Date()
  const random = createRandomSource()
  const { previews } = commandReleases({ store, requiresHardware, clock, random })
  const summary = await withPreviewProgress(({ onProgress }) =>
    previewDocument(previews, { document, by, signal, onProgress }),
  )
  if (json) printJson(summary)
  else printText(describePreview(summary))
  return countLosses(summary) === 0 ? EXIT.done : EXIT.refused
}

/** Shows how far a replay is while `run` does it; `end` takes the line away before something is printed. */
export async function withPreviewProgress<T>(
  run: (progress: {
    readonly onProgress: (progress: PreviewProgress) => void
    readonly end: () => void
  }) => Promise<T>,
): Promise<T> {
  const progress = createProgress(process.stderr, () => new Date())
  const text = (count: number) => count.toLocaleString('en')
  try {
    return await run({
      end: progress.end,
      onProgress: ({ devices, total }) =>
        progress.show(`${renderBar(devices, total)}  ${text(devices)} of ${text(total)} devices`),
    })
  } finally {
    progress.end()
  }
}
