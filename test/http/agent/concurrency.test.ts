import { describe } from 'vitest'
import { openTestDatabase } from '../../support/test-database.ts'
import { concurrencyLaws } from './concurrency-laws.ts'

describe('submissions at once', () => concurrencyLaws(openTestDatabase))
