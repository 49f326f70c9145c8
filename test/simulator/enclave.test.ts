import { expect, test } from 'vitest'
import { parseVbsReport, verifyVbsReport } from '../../src/evidence/vbs/report.ts'
import { publicJwk } from '../../src/simulator/attestation-request.ts'
import { makeEnclaveReport } from '../../src/simulator/enclave.ts'
import { primeSharingKeys } from '../../src/simulator/key-source.ts'
import { CURRENT_ENCLAVE, listEnclaveModules } from '../../src/simulator/virtual-enclave.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

const keys = primeSharingKeys()
const signingKey = await keys()
const otherKey = await keys()
const enclaveData = new Uint8Array(64).fill(7)
const identity = {
  ...CURRENT_ENCLAVE,
  enclaveSvn: 11,
  platformSvn: 4,
  secureKernelSvn: 9,
  flags: 2,
}
const modules = listEnclaveModules(identity)
const report = await makeEnclaveReport({ signingKey, identity, modules, enclaveData })

test('a report says of the enclave what it was made from', () => {
  const parsed = expectOk(parseVbsReport(report))
  const { ownerId, uniqueId, authorId, familyId, imageId, ...numbers } = identity
  expect(parsed.identity).toMatchObject(numbers)
  for (const [name, id] of Object.entries({ ownerId, uniqueId, authorId, familyId, imageId })) {
    expect(Buffer.from(Reflect.get(parsed.identity, name)), name).toEqual(Buffer.from(id))
  }
  expect(Buffer.from(parsed.enclaveData)).toEqual(Buffer.from(enclaveData))
  expect(parsed.modules.map(({ name }) => name)).toEqual(modules.map(({ name }) => name))
})

test('a report verifies with the key of its secure kernel and no other', async () => {
  expectOk(await verifyVbsReport({ package: report, key: publicJwk(signingKey) }))
  const foreign = await verifyVbsReport({ package: report, key: publicJwk(otherKey) })
  expectRefusal(foreign, 'report_signature_invalid')
})
