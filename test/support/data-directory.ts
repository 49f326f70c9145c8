import { cpSync } from 'node:fs'
import { openEmbeddedStore } from '../../src/store/drivers/embedded.ts'
import { makeOnceARun } from './once-a-run.ts'

/**
 * Makes a data directory at `path` with an empty, migrated database that nobody has open. Making a
 * database takes seconds of the processor and copying one does not; how one is made is for
 * `test/store/drivers/embedded.test.ts`.
 */
export async function makeDataDirectory(path: string): Promise<void> {
  const kept = await makeOnceARun('data-directory', async (draft) => {
    await (await openEmbeddedStore(draft)).close()
  })
  cpSync(kept, path, { recursive: true })
}
