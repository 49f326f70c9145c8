import { describe } from 'vitest'
import { openEmbeddedDatabase } from '../../support/embedded-database.ts'
import { storeContract } from '../contract.ts'

describe('store on PGlite', () => storeContract(openEmbeddedDatabase))
