import { afterAll, beforeAll, describe } from 'vitest'
import { administrationContract } from './administration-contract.ts'
import { documentsContract } from './documents-contract.ts'
import type { StoreUnderTest } from './fixtures.ts'
import { fleetReadsContract } from './fleet-reads-contract.ts'
import { readingContract } from './reading-contract.ts'
import { recordingContract } from './recording-contract.ts'
import { retentionContract } from './retention-contract.ts'

/** What every store must do, whatever it runs on. */
export function storeContract(open: () => Promise<StoreUnderTest>): void {
  let opened: StoreUnderTest
  const subject = () => opened

  beforeAll(async () => {
    opened = await open()
  })
  afterAll(() => opened?.close())

  describe('recording attestations', () => recordingContract(subject))
  describe('reading', () => readingContract(subject))
  describe('administration', () => administrationContract(subject))
  describe('documents, clients and keys', () => documentsContract(subject))
  describe('reading the fleet', () => fleetReadsContract(subject))
  describe('retention', () => retentionContract(subject))
}
