import { MAX_REFERENCE_NAME_CHARS } from '../../appraisal/limits.ts'
import {
  parseReferenceValues,
  type ReferenceValuesDocument,
} from '../../appraisal/reference-values.ts'
import { toBase64 } from '../../base/encoding.ts'
import { bodyOf } from '../../operations/release/check-document.ts'
import { formatDocument } from '../../operations/release/format-document.ts'
import type { Store } from '../../store/store.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { printJson, printText } from '../framework/output.ts'
import { type ApplyOptions, applyDocuments } from '../policy/apply.ts'
import { readInForce } from '../policy/in-force.ts'
import { demandChecked, hasErrors, lintCandidate } from '../policy/read-document.ts'
import { isOwnIssuer, type Root } from './read-roots.ts'

const KIND = 'reference-values'

/**
 * Lists roots in the reference values, and brings these into force as `policy apply` does: through
 * lint, a preview and, in a large fleet, a rollout. Exit status as there.
 */
export async function importRoots(
  store: Store,
  roots: readonly Root[],
  options: Omit<ApplyOptions, 'expected'>,
): Promise<number> {
  const { json, clock } = options
  const active = await readInForce(store, KIND)
  const values = parseReferenceValues(active.body)
  if (!values.ok) throw new Error(`the reference values in force cannot be used: ${active.hash}`)
  const { document, anchors } = values.value
  const own = roots.filter(isOwnIssuer)
  const added = own.filter(({ fingerprint }) => !anchors.has(fingerprint))
  if (!json) printText(describeLeftOut(roots, own, added))
  if (own.length === 0) throw new Error('none of these is a root certificate: nothing to import')
  if (added.length === 0) {
    if (json) printJson({ documents: [] })
    return 0
  }
  const text = formatDocument(KIND, withAnchors(document, added))
  const now = clock()
  const written = lintCandidate({ kind: KIND, label: 'reference values', text, now })
  // A version that can be looked at under its hash: what a preview says of it, too.
  const keep = async () => {
    const checked = demandChecked(written)
    const { hash } = checked.compiled
    const reason = options.reason ?? REASON
    const input = { kind: KIND, hash, body: bodyOf(checked), reason, now } as const
    await store.proposeDocument({ ...input, author: COMMAND_LINE })
    return hash
  }
  const candidate = { ...written, label: hasErrors(written) ? written.label : await keep() }
  const release = { reason: REASON, ...withoutUndefined(options), expected: active.hash }
  return applyDocuments(store, [candidate], { ...options, ...release })
}

const REASON = 'anchors import'

function withoutUndefined({ reason }: { readonly reason: string | undefined }) {
  return reason === undefined ? {} : { reason }
}

function withAnchors(
  document: ReferenceValuesDocument,
  added: readonly Root[],
): ReferenceValuesDocument {
  const entries = added.map(({ name, known, certificate }) =>
    certificate === undefined && known !== undefined
      ? { known }
      : {
          name: name.slice(0, MAX_REFERENCE_NAME_CHARS),
          certificate: toBase64(derOf(certificate)),
        },
  )
  return { ...document, trust_anchors: [...(document.trust_anchors ?? []), ...entries] }
}

function derOf(certificate: Root['certificate']): Uint8Array {
  if (certificate === undefined) throw new TypeError('a root has a certificate or a known name')
  return certificate.der
}

function describeLeftOut(
  roots: readonly Root[],
  own: readonly Root[],
  added: readonly Root[],
): string {
  const others = roots
    .filter((root) => !own.includes(root))
    .map(({ name }) => `${name} is no root, and not listed: issuers come by themselves.\n`)
  const listed = own
    .filter((root) => !added.includes(root))
    .map(({ name }) => `${name} is listed already.\n`)
  return [...others, ...listed].join('')
}
