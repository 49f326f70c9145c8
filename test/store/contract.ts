import { afterAll, beforeAll, describe } from 'vitest'
import { administrationContract } from './devices/administration-contract.ts'
import { announcementsContract } from './devices/announcements-contract.ts'
import { fleetReadsContract } from './devices/fleet-reads-contract.ts'
import { generationContract } from './devices/generation-contract.ts'
import { idleContract } from './devices/idle-contract.ts'
import { linksContract } from './devices/links-contract.ts'
import { readingContract } from './devices/reading-contract.ts'
import { recordingContract } from './devices/recording-contract.ts'
import { searchContract } from './devices/search-contract.ts'
import { spentContextsContract } from './devices/spent-contexts-contract.ts'
import { statusListContract } from './devices/status-list-contract.ts'
import { entitiesContract } from './directory/entities-contract.ts'
import type { StoreUnderTest } from './fixtures.ts'
import { controlContract } from './rules/control-contract.ts'
import { documentsContract } from './rules/documents-contract.ts'
import { exceptionsContract } from './rules/exceptions-contract.ts'
import { signalsContract } from './signals/signals-contract.ts'
import { fleetHistoryContract } from './system/fleet-history-contract.ts'
import { issuerCertificatesContract } from './system/issuer-certificates-contract.ts'
import { oauthContract } from './system/oauth-contract.ts'
import { partitionsContract } from './system/partitions-contract.ts'
import { questionsContract } from './system/questions-contract.ts'
import { signInsContract } from './system/sign-ins-contract.ts'
import { signingKeysContract } from './system/signing-keys-contract.ts'
import { verifierObservationsContract } from './system/verifier-observations-contract.ts'

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
  describe('finding devices', () => searchContract(subject))
  describe('administration', () => administrationContract(subject))
  describe('documents and clients', () => documentsContract(subject))
  describe('rollouts', () => controlContract(subject))
  describe('overrides, holds and jobs', () => exceptionsContract(subject))
  describe('certificates of issuers', () => issuerCertificatesContract(subject))
  describe('proofs and tokens of callers', () => oauthContract(subject))
  describe('our own keys', () => signingKeysContract(subject))
  describe('verifiers', () => verifierObservationsContract(subject))
  describe('announcing', () => announcementsContract(subject))
  describe('counts of the fleet', () => fleetHistoryContract(subject))
  describe('reading the fleet', () => fleetReadsContract(subject))
  describe('the list of statuses', () => statusListContract(subject))
  describe('idle devices', () => idleContract(subject))
  describe('partitions', () => partitionsContract(subject))
  describe('questions', () => questionsContract(subject))
  describe('sign-ins', () => signInsContract(subject))
  describe('signals', () => signalsContract(subject))
  describe('the entity directory', () => entitiesContract(subject))
}
