/** Polls that wait in this process: each holds a connection, and looks again whenever something is told. */
export type PollPlaces = {
  /** Lets one more poll of a client wait; it says itself that it is over. `undefined` where no more may. */
  readonly take: (clientId: string) => (() => void) | undefined
}

/** More than one for each stream that a client may have: one that is given up may not have been noticed yet. */
export const WAITING_POLLS_OF_CLIENT = 16
const WAITING_POLLS = 1024

export function createPollPlaces(): PollPlaces {
  const taken = new Map<string, number>()
  let all = 0
  return {
    take(clientId) {
      const own = taken.get(clientId) ?? 0
      if (own >= WAITING_POLLS_OF_CLIENT || all >= WAITING_POLLS) return undefined
      taken.set(clientId, own + 1)
      all += 1
      let isOver = false
      return () => {
        if (isOver) return
        isOver = true
        all -= 1
        const left = (taken.get(clientId) ?? 1) - 1
        if (left === 0) taken.delete(clientId)
        else taken.set(clientId, left)
      }
    },
  }
}
