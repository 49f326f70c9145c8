import type { Activation, StoredDocuments } from '../../src/store/rules/documents.ts'
import type { Store } from '../../src/store/store.ts'

type Input = Parameters<StoredDocuments['activateDocument']>[0]

/** Puts a document in force without asking anybody: in the place of whatever is, unless that is named. */
export async function putInForce(
  store: Pick<Store, 'activateDocument' | 'inForce'>,
  input: Omit<Input, 'expected' | 'beside'> & Partial<Pick<Input, 'expected' | 'beside'>>,
): Promise<Activation> {
  const { policyHash, referenceValuesHash } = await store.inForce()
  const [own, other] =
    input.kind === 'policy' ? [policyHash, referenceValuesHash] : [referenceValuesHash, policyHash]
  return store.activateDocument({ expected: own ?? '', beside: other ?? '', ...input })
}
