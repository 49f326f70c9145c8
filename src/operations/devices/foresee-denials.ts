import { assess } from '../../access/assess.ts'
import { comingDenials } from '../../access/coming-denials.ts'
import { type DescribedDenial, describeComing } from '../../access/explain.ts'
import type { LanguageRange } from '../../access/language.ts'
import type { TrustRecord } from '../../access/trust-record.ts'
import { isActiveAt } from '../../access/verdict.ts'
import type { RulesReader } from '../release/rules-in-force.ts'

/**
 * What will deny a device later, as far as documents and its evidence say it, with what to do: for
 * whoever looks after the device. Empty for one about which no clause decides.
 */
export async function foreseeDenials(
  rules: Pick<RulesReader, 'recent'>,
  input: {
    readonly record: TrustRecord
    readonly now: Date
    readonly languages?: readonly LanguageRange[]
  },
): Promise<readonly DescribedDenial[]> {
  const { record, now, languages = [] } = input
  const { attestation } = record
  if (attestation === null || !isActiveAt(record, now)) return []
  const rulesInForce = await rules.recent()
  const { rules: documents, reliefs } = rulesInForce.rulesFor(record, now)
  const assessment = assess({ ...documents, record, reliefs, now })
  const attested = { ...record, attestation }
  const coming = comingDenials({
    ...{ ...documents, assessment, reliefs, now },
    ...{ record: attested, device: record },
  })
  return describeComing(coming, documents.policy, languages)
}
