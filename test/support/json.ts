/** Parsed JSON of which each test states the members that it reads or changes. */
// biome-ignore lint/suspicious/noExplicitAny: the one place where tests may be loose.
export type Json = any
