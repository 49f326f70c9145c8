import { createHash, randomBytes } from 'node:crypto'
import { compactVerify, type JWK } from 'jose'
import { describe, expect, test } from 'vitest'
import { toBase64 } from '../../src/base/encoding.ts'
import {
  type AttestationRequestOptions,
  makeAttestationRequest,
  publicJwk,
} from '../../src/simulator/attestation-request.ts'
import { primeSharingKeys } from '../../src/simulator/key-source.ts'
import { startVirtualDevice } from '../../src/simulator/virtual-device.ts'
import { readAttestRequest } from '../../src/verifier/protocol/attest-request.ts'
import { readRequestJws } from '../../src/verifier/protocol/request-jws.ts'
import { inspectRequest } from '../support/inspect-request.ts'
import { expectOk } from '../support/refusal.ts'

const device = await startVirtualDevice({ name: 'a device', keys: primeSharingKeys() })
const challenge = randomBytes(16)

function makeRequest(options: Partial<AttestationRequestOptions>): Promise<string> {
  return makeAttestationRequest({
    device,
    version: 2,
    challenge,
    serviceContext: 'sealed',
    rpId: 'https://service.test',
    rpData: 'AQIDBA',
    ...options,
  })
}

describe.each([1, 2] as const)('a version %i request', (version) => {
  test('is a PS256 JWS by the request key of its own payload', async () => {
    const jws = await makeRequest({ version })
    const { protectedHeader } = await compactVerify(jws, publicJwk(device.requestKey) as JWK)
    const typ = version === 1 ? 'attReq' : 'attReqV2'
    expect(protectedHeader).toEqual({ alg: 'PS256', typ })
  })

  test('reads as what it was made from, with and without the enclave', async () => {
    for (const withoutEnclave of [false, true]) {
      const jws = expectOk(readRequestJws(await makeRequest({ version, withoutEnclave })))
      const evidence = inspectRequest(expectOk(readAttestRequest(jws)))
      expect(evidence).toMatchObject({ version, serviceContext: 'sealed' })
      expect(evidence.challenge).toEqual(challenge)
      expect(evidence.rpData).toEqual(Buffer.from([1, 2, 3, 4]))
      expect(evidence.enclave === undefined).toBe(withoutEnclave)
      expect(evidence.current.logs.srtm).toEqual(Buffer.from(device.bootLog.bytes))
      expect(evidence.current.statement.pcrs[0]?.values.size).toBe(24)
    }
  })

  test('binds the enclave report to its own text', async () => {
    const jws = expectOk(readRequestJws(await makeRequest({ version })))
    const { enclave } = inspectRequest(expectOk(readAttestRequest(jws)))
    const bound = createHash('sha512')
      .update(enclave?.boundText ?? '')
      .digest()
    expect(enclave?.report.subarray(32, 96)).toEqual(bound)
  })
})

test('the device key is the digest of the attestation key, under which the device is known', () => {
  const spki = device.tpm.attestationKey.export({ type: 'spki', format: 'der' })
  expect(device.deviceKey).toBe(toBase64(createHash('sha256').update(spki).digest()))
  expect(device.deviceId).toMatch(/^dev_[a-z2-7]{52}$/)
})
