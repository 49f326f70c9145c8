const POOL_BYTES = 1024

/**
 * Fresh random bytes from a pool that is filled at once, because each call into the system costs
 * more than the few bytes that an id needs. What was given out is wiped from the pool.
 */
export function createRandomSource(): (length: number) => Uint8Array<ArrayBuffer> {
  let pool = new Uint8Array(0)
  let used = 0
  return (length) => {
    if (length > POOL_BYTES) throw new RangeError(`at most ${POOL_BYTES} random bytes at once`)
    if (used + length > pool.length) {
      pool = crypto.getRandomValues(new Uint8Array(POOL_BYTES))
      used = 0
    }
    const bytes = pool.slice(used, used + length)
    pool.fill(0, used, used + length)
    used += length
    return bytes
  }
}
