/** The command line is wrong: the message says what to do, and `at` for which command. */
export class UsageError extends Error {
  at: readonly string[] = []
}
