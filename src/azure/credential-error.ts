import type { RelayFailure } from './failure.ts'

/**
 * Why there is no token of Entra. Made of our own words: the errors of the SDK quote requests and
 * answers, and with them secrets.
 */
export class CredentialError extends Error {
  readonly failure: RelayFailure

  constructor(failure: RelayFailure) {
    super(failure.reason)
    this.name = 'CredentialError'
    this.failure = failure
  }
}
