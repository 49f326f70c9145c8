import { defineKind } from '../kind.ts'
import { TPM_ANSWERS } from './answers.ts'
import { TPM_CLAIMS } from './claims.ts'
import { readTpmV1 } from './read-v1.ts'
import { readTpmV2 } from './read-v2.ts'
import { TPM_KIND } from './tpm-evidence.ts'
import { TPM_STEPS, type TpmFailure, verifyTpm } from './verify.ts'

/**
 * What the TPM of a machine says about how it was booted, which every request brings. It answers the
 * challenge, so it is this kind that says who attests.
 */
export const tpmKind = defineKind<TpmFailure>({
  name: TPM_KIND,
  requestType: 'basic',
  steps: TPM_STEPS,
  parts: ['quote', 'boot_log'],
  claims: TPM_CLAIMS,
  answers: TPM_ANSWERS,
  read({ version, data, signed, accept }) {
    if (signed !== data) data.refuseMisplaced(['tpm_att_data'], `inside ${signed.path}`)
    const tpm = signed.object('tpm_att_data')
    const evidence = version === 1 ? readTpmV1(tpm, accept) : readTpmV2(tpm, accept)
    const { statement, logs } = evidence.current
    return {
      kind: TPM_KIND,
      content: evidence,
      parts: { quote: statement.quote, boot_log: logs.srtm },
      verify: (run) => verifyTpm(evidence, run),
    }
  },
})
