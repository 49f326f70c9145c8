import { formatDocument } from '../../operations/release/format-document.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { Store } from '../../store/store.ts'
import { fields } from '../framework/fields.ts'
import { printJson, printText } from '../framework/output.ts'
import { NAME_OF_KIND } from './document-kinds.ts'
import { findVersion } from './find-version.ts'
import { readInForce } from './in-force.ts'
import { describeHalt, showVersion } from './list.ts'

/** Prints one version, or the one in force, with where it comes from. */
export async function showDocument(
  store: Store,
  options: {
    readonly kind: DocumentKind
    readonly hash: string | undefined
    readonly json: boolean
  },
): Promise<number> {
  const { kind, hash, json } = options
  const active = await readInForce(store, kind)
  const version = hash === undefined ? active : await findVersion(store, kind, hash)
  const activation =
    version.hash === active.hash
      ? { activated_at: active.activatedAt, activated_by: active.activatedBy }
      : {}
  const [halted] = await store.haltedRollouts(kind, version.hash)
  const text = formatDocument(kind, version.body)
  if (json) {
    const document: unknown = JSON.parse(text)
    const about = showVersion(version, { active: active.hash, halted })
    printJson({ ...about, ...activation, document })
    return 0
  }
  printText(
    fields(
      {
        version: version.hash,
        state: describeState(kind, version.hash === active.hash),
        created: `${version.createdAt.toISOString()} by ${version.author}`,
        reason: version.reason,
        parent: version.parent ?? 'none',
        halted: halted && describeHalt(halted),
        ...(activation.activated_at && {
          'in force since': `${activation.activated_at.toISOString()} by ${activation.activated_by}`,
        }),
      },
      '',
    ),
  )
  printText(`\n${text}`)
  return 0
}

function describeState(kind: DocumentKind, isActive: boolean): string {
  return isActive ? `in force: the ${NAME_OF_KIND[kind]} that decides` : 'kept, not in force'
}
