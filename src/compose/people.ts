import type { Config } from '../config/config.ts'
import { isLoopback } from '../config/loopback.ts'
import type { ConsoleServices } from '../http/console/services.ts'
import { createIssuerFetchJson } from '../keysets/fetch-of-issuer.ts'
import { createPublishedKeySets } from '../keysets/key-sets.ts'
import { createDeviceLimiter } from '../operations/attest/device-limiter.ts'
import { createIssuer } from '../operations/people/issuer.ts'
import { NOT_FETCHED } from './oauth.ts'
import { adminServices } from './release.ts'
import type { Services } from './services.ts'

/** Refusals of one person, and of all that nobody knows, that the audit takes in a minute. */
const REFUSALS_PER_MINUTE = 30

/** What the console works with: how people sign in, who is signed in, and what pages show and do. */
export function consoleServices(services: Services): ConsoleServices {
  const { config, clock, sealing } = services
  const { issuer } = config.console
  const { publicUrl, clockSkewSeconds } = config
  // Both runtimes have it, and look each for itself at what it connects to.
  const send: typeof fetch = (...request) => fetch(...request)
  return {
    ...adminServices(services),
    ...services,
    limits: config.console,
    issuer,
    openIssuer: issuer && createIssuer(issuer, { send, clock, clockSkewSeconds }),
    keySets: createPublishedKeySets({
      fetchJson:
        issuer === undefined ? NOT_FETCHED : createIssuerFetchJson(send, new URL(issuer.url)),
      clock,
    }),
    mayUseLinks: mayUseLinks(config),
    keys: {
      session: sealing.consoleSession,
      signIn: sealing.consoleSignIn,
      link: sealing.consoleLink,
    },
    keyMaking: { issuer: publicUrl, sealingKeys: sealing.signingKey },
    settings: config.described,
    publicUrl,
    clockSkewSeconds,
    refusedPeople: createDeviceLimiter(REFUSALS_PER_MINUTE),
  }
}

/** Whether one-time links count: where no issuer is set, and nobody but this machine reaches the service. */
export function mayUseLinks({
  console: { issuer },
  host,
  publicUrl,
}: Pick<Config, 'console' | 'host' | 'publicUrl'>): boolean {
  return issuer === undefined && isLoopback(host) && isLoopback(new URL(publicUrl).hostname)
}
