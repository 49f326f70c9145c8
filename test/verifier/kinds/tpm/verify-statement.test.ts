import { beforeAll, describe, expect, test } from 'vitest'
import type { PcrBank } from '../../../../src/evidence/tpm/pcr.ts'
import { type Aik, resolveAik } from '../../../../src/verifier/kinds/tpm/attestation-key.ts'
import { verifyStatement } from '../../../../src/verifier/kinds/tpm/verify-statement.ts'
import { ecdsaKey, type PaperKey, pcrBank, quoteAttest } from '../../../evidence/tpm/paper-tpm.ts'
import { expectOk, expectRefusal } from '../../../support/refusal.ts'

/* Which bank a refusal of PCR values names: a paper TPM quotes two, as swtpm and real ones can. */

const nonce = Buffer.from('our nonce')
const members = { quote: 'quote', signature: 'signature', pcrs: 'pcrs' }
const [sha1, sha256] = [pcrBank('sha1', [0, 7]), pcrBank('sha256', [0, 4, 7, 11])]
let key: PaperKey
let aik: Aik

beforeAll(async () => {
  key = await ecdsaKey({ curve: 'P-256', hash: 'sha256' })
  const evidence = { publicKey: key.jwk, certificate: undefined, member: 'request' }
  aik = expectOk(await resolveAik(evidence))
})

async function verifyWith(pcrs: readonly PcrBank[]) {
  const quote = quoteAttest({ nonce, pcrs: [sha1, sha256] })
  const statement = { quote, signature: await key.sign(quote), pcrs, members }
  return verifyStatement(statement, aik, { qualifyingData: nonce })
}

describe('values of two banks', () => {
  test('count in the order of the quote', async () => {
    expectOk(await verifyWith([sha1, sha256]))
  })

  test('in another order of banks are told the order', async () => {
    const failure = expectRefusal(await verifyWith([sha256, sha1]), 'boot_pcr_order_wrong')
    expect(failure).toMatchObject({
      ...{ member: 'pcrs', bank: 'sha1', pcrs: [0, 7] },
      expected: 'banks in the order of the quote: sha1, sha256',
    })
  })

  test('in another order inside a bank are told that bank, and its order', async () => {
    const turned = { ...sha256, values: new Map([...sha256.values].reverse()) }
    const failure = expectRefusal(await verifyWith([sha1, turned]), 'boot_pcr_order_wrong')
    expect(failure).toMatchObject({ member: 'pcrs', bank: 'sha256', pcrs: [0, 4, 7, 11] })
    expect(failure).not.toHaveProperty('expected')
  })

  test('without a whole bank are told which', async () => {
    const failure = expectRefusal(await verifyWith([sha1]), 'quote_pcr_missing')
    expect(failure).toMatchObject({
      ...{ member: 'pcrs', bank: 'sha256', pcrs: [0, 4, 7, 11] },
      expected: expect.stringMatching(/^an entry of the bank sha256, /),
    })
  })
})
