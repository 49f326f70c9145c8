import { describe, expect, test } from 'vitest'
import type { IssuerCertificateToKeep } from '../../../src/store/system/issuer-certificates.ts'
import { at, newId, type StoreUnderTest } from '../fixtures.ts'

/** Certificates of issuers that some process found. */
export function issuerCertificatesContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  const issuerOf = (changes: Partial<IssuerCertificateToKeep> = {}): IssuerCertificateToKeep => ({
    fingerprint: newId('fingerprint-'),
    keyId: newId('key-'),
    nameHash: newId('name-'),
    certificate: newId('certificate-'),
    anchor: 'anchor-',
    validUntil: at(3600),
    now: at(0),
    most: 10_000,
    ...changes,
  })
  const find = (wanted: { keyId?: string | null; nameHash?: string }, now = at(1)) =>
    store().issuerCertificates({ keyId: null, nameHash: 'no such name', ...wanted, now })
  const auditsOf = ({ fingerprint }: IssuerCertificateToKeep) =>
    subject().query(
      `select detail from audit where action = 'issuer-certificate.kept' and detail::text like '%${fingerprint}%'`,
    )

  describe('the certificate of an issuer', () => {
    test('is found by its key and by its name, by every process', async () => {
      const one = issuerOf()
      expect(await store().keepIssuerCertificate(one)).toBe('applied')
      expect(await find({ keyId: one.keyId })).toEqual([one.certificate])
      expect(await find({ nameHash: one.nameHash })).toEqual([one.certificate])
      expect(await find({ keyId: newId('key-'), nameHash: newId('name-') })).toEqual([])
    })

    test('that names no key is found by its name, and never by the absence of a key', async () => {
      const one = issuerOf({ keyId: null })
      await store().keepIssuerCertificate(one)
      expect(await find({ nameHash: one.nameHash })).toEqual([one.certificate])
      expect(await find({})).toEqual([])
    })

    test('is kept once, with one line in the audit log', async () => {
      const one = issuerOf()
      const answers = await Promise.all([1, 2, 3, 4].map(() => store().keepIssuerCertificate(one)))
      expect(answers.toSorted()).toEqual(['applied', 'unchanged', 'unchanged', 'unchanged'])
      expect(await auditsOf(one)).toEqual([
        { detail: { fingerprint: one.fingerprint, anchor: one.anchor } },
      ])
    })

    test('and its renewal are both found, the later one first', async () => {
      const one = issuerOf()
      const renewed = issuerOf({ keyId: one.keyId, nameHash: one.nameHash, now: at(5) })
      await store().keepIssuerCertificate(one)
      await store().keepIssuerCertificate(renewed)
      expect(await find({ keyId: one.keyId })).toEqual([renewed.certificate, one.certificate])
    })

    test('is not found any more when it is over, and makes room', async () => {
      const one = issuerOf({ validUntil: at(60) })
      await store().keepIssuerCertificate(one)
      expect(await find({ keyId: one.keyId }, at(59))).toEqual([one.certificate])
      expect(await find({ keyId: one.keyId }, at(60))).toEqual([])
      await store().keepIssuerCertificate(issuerOf({ now: at(61) }))
      expect(await find({ keyId: one.keyId }, at(1))).toEqual([])
    })

    test('makes room for newer ones when there are too many', async () => {
      const many = [1, 2, 3].map((order) => issuerOf({ now: at(1000 + order), most: 2 }))
      for (const one of many) await store().keepIssuerCertificate(one)
      const found = await Promise.all(many.map(({ keyId }) => find({ keyId })))
      expect(found.map(({ length }) => length)).toEqual([0, 1, 1])
      const [count] = await subject().query('select count(*)::int as n from issuer_certificate')
      expect(count).toEqual({ n: 2 })
    })
  })
}
