/** A small generator of pseudo-random numbers (mulberry32): the same seed, the same inputs. */
export type Chance = {
  /** A whole number from 0 to `below` - 1. */
  readonly below: (below: number) => number
}

export function chanceOf(seed: number): Chance {
  let state = seed >>> 0
  return {
    below(below) {
      state = (state + 0x6d2b79f5) >>> 0
      let mixed = Math.imul(state ^ (state >>> 15), state | 1)
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
      return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000) * below)
    },
  }
}

/** Numbers at which lengths, counts and signs turn over. */
const TURNING = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000]
const WORDS = [
  ...['{', '}', '[', ']', '"', ',', ':', '.', '\\u0000', '\\ud800', '1e999', '-0', 'null', 'true'],
  ...['__proto__', 'constructor', '\0', '\ufeff', '\u{1f600}', '=', '-----BEGIN X-----', '0x', '%'],
].map((word) => new TextEncoder().encode(word))

type Mutation = (bytes: Uint8Array, chance: Chance, other: Uint8Array) => Uint8Array

const at = (bytes: Uint8Array, chance: Chance) => chance.below(bytes.length + 1)

function changed(bytes: Uint8Array, change: (copy: Buffer) => void): Uint8Array {
  const copy = Buffer.from(bytes)
  if (copy.length > 0) change(copy)
  return copy
}

function spliced(bytes: Uint8Array, from: number, to: number, middle: Uint8Array): Uint8Array {
  return Buffer.concat([bytes.subarray(0, from), middle, bytes.subarray(to)])
}

const MUTATIONS: readonly Mutation[] = [
  // A bit, a byte.
  (bytes, chance) =>
    changed(bytes, (copy) => {
      const index = chance.below(copy.length)
      copy[index] = (copy[index] ?? 0) ^ (1 << chance.below(8))
    }),
  (bytes, chance) =>
    changed(bytes, (copy) => {
      copy[chance.below(copy.length)] = chance.below(256)
    }),
  // A length or a count, of either byte order.
  (bytes, chance) =>
    changed(bytes, (copy) => {
      const value = TURNING[chance.below(TURNING.length)] ?? 0
      const size = [1, 2, 4][chance.below(3)] ?? 1
      if (copy.length < size) return
      const index = chance.below(copy.length - size + 1)
      const masked = size === 4 ? value : value % 256 ** size
      if (chance.below(2) === 0) copy.writeUIntBE(masked, index, size)
      else copy.writeUIntLE(masked, index, size)
    }),
  (bytes, chance) =>
    changed(bytes, (copy) => {
      const index = chance.below(copy.length)
      copy[index] = ((copy[index] ?? 0) + chance.below(17) - 8) & 0xff
    }),
  // The end is missing; something is missing, is there twice, or comes from another input.
  (bytes, chance) => bytes.slice(0, at(bytes, chance)),
  (bytes, chance) => {
    const from = at(bytes, chance)
    return spliced(
      bytes,
      from,
      Math.min(bytes.length, from + 1 + chance.below(64)),
      new Uint8Array(),
    )
  },
  (bytes, chance) => {
    const from = at(bytes, chance)
    const piece = bytes.subarray(from, from + 1 + chance.below(64))
    const to = at(bytes, chance)
    return spliced(bytes, to, to, piece)
  },
  (bytes, chance, other) => {
    const from = at(other, chance)
    const piece = other.subarray(from, from + 1 + chance.below(256))
    const to = at(bytes, chance)
    return spliced(bytes, to, Math.min(bytes.length, to + chance.below(piece.length + 1)), piece)
  },
  (bytes, chance) => {
    const word = WORDS[chance.below(WORDS.length)] ?? new Uint8Array()
    const to = at(bytes, chance)
    return spliced(bytes, to, to, word)
  },
  // Something follows.
  (bytes, chance) => spliced(bytes, bytes.length, bytes.length, Uint8Array.of(chance.below(256))),
]

/** Past this an input only tests the limit that is there before every parser. */
const MOST_BYTES = 256 * 1024

/** One to four mutations of `seed`, which stays as it is. */
export function mutate(seed: Uint8Array, other: Uint8Array, chance: Chance): Uint8Array {
  let bytes = seed
  for (let times = 1 + chance.below(2) * chance.below(4); times > 0; times--) {
    const mutation = MUTATIONS[chance.below(MUTATIONS.length)]
    bytes = mutation?.(bytes, chance, other) ?? bytes
  }
  return bytes.subarray(0, MOST_BYTES)
}
