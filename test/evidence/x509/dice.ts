/** Chance that comes out the same again: mulberry32 from a seed. */
export type Dice = {
  /** From 0 to below `sides`. */
  readonly roll: (sides: number) => number
  readonly chance: (probability: number) => boolean
  readonly pick: <const T>(list: readonly T[]) => T
  /** Each member with that probability. */
  readonly some: <const T>(list: readonly T[], probability: number) => T[]
}

export function makeDice(seed: number): Dice {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const roll = (sides: number) => Math.floor(next() * sides)
  const chance = (probability: number) => next() < probability
  return {
    roll,
    chance,
    pick: (list) => {
      const picked = list[roll(list.length)]
      if (picked === undefined) throw new TypeError('nothing to pick from')
      return picked
    },
    some: (list, probability) => list.filter(() => chance(probability)),
  }
}
