import type { ClientUses } from '../../keys/client-uses.ts'
import type { Store } from '../../store/store.ts'

export type NoteUsesDependencies = {
  readonly store: Pick<Store, 'noteClientUse'>
  readonly clientUses: Pick<ClientUses, 'take'>
}

/** Writes down which secrets of clients were used, beside the requests that used them. */
export async function noteClientUses({ store, clientUses }: NoteUsesDependencies): Promise<void> {
  for (const use of clientUses.take()) await store.noteClientUse(use)
}
