/**
 * So many at once of what costs the service something and needs no credentials. A place is taken once
 * the whole message is there, so that nobody holds one by sending slowly.
 */
export function createPlaces(count: number) {
  let taken = 0
  return {
    async take(answer: () => Promise<Response>, whenFull: () => Response): Promise<Response> {
      if (taken >= count) return whenFull()
      taken += 1
      try {
        return await answer()
      } finally {
        taken -= 1
      }
    },
  }
}
