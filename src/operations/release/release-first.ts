import type { Store } from '../../store/store.ts'
import { bodyOf, type LintedDocument, withoutErrors } from './check-document.ts'

/**
 * A release where no document of the kind is in force, at the first start of a service. Nobody has any
 * access yet that could be lost and there is nothing to compare with, so lint is all that is asked.
 * Throws where it finds an error: what comes with the software has none.
 */
export async function releaseFirst(
  store: Pick<Store, 'ensureActiveDocument'>,
  request: {
    readonly document: LintedDocument
    readonly by: string
    readonly reason: string
    readonly now: Date
  },
): Promise<void> {
  const { by: author, reason, now } = request
  const checked = withoutErrors(request.document)
  if (!checked.ok) throw new TypeError('lint refuses a first document')
  const { kind, compiled } = checked.value
  const body = bodyOf(checked.value)
  await store.ensureActiveDocument({ kind, hash: compiled.hash, body, author, reason, now })
}
