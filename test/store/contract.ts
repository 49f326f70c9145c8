import { afterAll, beforeAll, describe } from 'vitest'
import { administrationContract } from './administration-contract.ts'
import { announcementsContract } from './announcements-contract.ts'
import { controlContract } from './control-contract.ts'
import { documentsContract } from './documents-contract.ts'
import { exceptionsContract } from './exceptions-contract.ts'
import type { StoreUnderTest } from './fixtures.ts'
import { fleetReadsContract } from './fleet-reads-contract.ts'
import { generationContract } from './generation-contract.ts'
import { idleContract } from './idle-contract.ts'
import { issuerCertificatesContract } from './issuer-certificates-contract.ts'
import { linksContract } from './links-contract.ts'
import { readingContract } from './reading-contract.ts'
import { recordingContract } from './recording-contract.ts'
import { retentionContract } from './retention-contract.ts'
import { spentContextsContract } from './spent-contexts-contract.ts'
import { verifierObservationsContract } from './verifier-observations-contract.ts'

/** What every store must do, whatever it runs on. */
export function storeContract(open: () => Promise<StoreUnderTest>): void {
  let opened: StoreUnderTest
  const subject = () => opened

  beforeAll(async () => {
    opened = await open()
  })
  afterAll(() => opened?.close())

  describe('recording attestations', () => recordingContract(subject))
  describe('generations of device tokens', () => generationContract(subject))
  describe('names of one device', () => linksContract(subject))
  describe('spending service contexts', () => spentContextsContract(subject))
  describe('reading', () => readingContract(subject))
  describe('administration', () => administrationContract(subject))
  describe('documents, clients and keys', () => documentsContract(subject))
  describe('rollouts', () => controlContract(subject))
  describe('overrides, holds and jobs', () => exceptionsContract(subject))
  describe('certificates of issuers', () => issuerCertificatesContract(subject))
  describe('verifiers', () => verifierObservationsContract(subject))
  describe('announcing', () => announcementsContract(subject))
  describe('reading the fleet', () => fleetReadsContract(subject))
  describe('idle devices', () => idleContract(subject))
  describe('retention', () => retentionContract(subject))
}
