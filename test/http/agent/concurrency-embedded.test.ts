import { describe } from 'vitest'
import { openEmbeddedDatabase } from '../../support/embedded-database.ts'
import { concurrencyLaws } from './concurrency-laws.ts'

describe('submissions at once, on the embedded database', () =>
  concurrencyLaws(openEmbeddedDatabase))
