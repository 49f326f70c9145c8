import type { ClientUses } from '../../keys/client-uses.ts'
import type { Store } from '../../store/store.ts'
import { storeFaultOf } from '../../store/store-error.ts'

export type NoteUsesDependencies = {
  readonly store: Pick<Store, 'noteClientUse'>
  readonly clientUses: Pick<ClientUses, 'take' | 'giveBack'>
}

/**
 * Writes down which secrets of clients were used, beside the requests that used them. What the database cannot take
 * for a while is kept for the next time, and the fault thrown; what it never takes is left out.
 */
export async function noteClientUses({ store, clientUses }: NoteUsesDependencies): Promise<void> {
  const uses = clientUses.take()
  let refused: { readonly error: unknown } | undefined
  for (const [at, use] of uses.entries()) {
    try {
      await store.noteClientUse(use)
    } catch (error) {
      refused = { error }
      if (storeFaultOf(error) === undefined) continue
      clientUses.giveBack(uses.slice(at))
      break
    }
  }
  if (refused !== undefined) throw refused.error
}
