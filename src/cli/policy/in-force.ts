import { COMMAND } from '../../base/command.ts'
import type { HashesInForce } from '../../operations/release/gates.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { ActiveDocument } from '../../store/rules/documents.ts'
import type { Store } from '../../store/store.ts'
import { NAME_OF_KIND } from './document-kinds.ts'

/** The document of a kind that is in force. */
export async function readInForce(store: Store, kind: DocumentKind): Promise<ActiveDocument> {
  const active = await store.activeDocument(kind)
  if (active !== null) return active
  throw new Error(
    `no ${NAME_OF_KIND[kind]} is in force yet: start the service once (${COMMAND} serve), then try again`,
  )
}

export async function readHashesInForce(store: Store): Promise<HashesInForce> {
  const policy = await readInForce(store, 'policy')
  const referenceValues = await readInForce(store, 'reference-values')
  return { policyHash: policy.hash, referenceValuesHash: referenceValues.hash }
}
