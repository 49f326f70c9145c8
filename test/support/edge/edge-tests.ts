/** What runs inside workerd as well as on Node, apart from `NODE_ONLY`. */
export const EDGE_TESTS = [
  'test/http/**/*.test.ts',
  'test/edge/**/*.test.ts',
  'test/base/encoding.test.ts',
  'test/evidence/*.test.ts',
  'test/policy/language/evaluation.test.ts',
  'test/simulator/**/*.test.ts',
  'test/cli/vectors/replay.test.ts',
] as const

/** The vectors that these tests read. */
export const EDGE_VECTORS = [
  'authzen/*.json',
  'dpop/*.json',
  'ssf/*.json',
  'idp/*/*.json',
  'maa/*/*.{json,jwt}',
] as const
