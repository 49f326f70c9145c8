import { type LookupAddress, lookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { isPublicAddress } from './public-address.ts'

/** Hosts that may be on a private network, as the configuration names them: `host` in lower case. */
export type PrivateHosts = ReadonlySet<string>

/** Says why nobody was connected to; the code of the error that a connection fails with. */
export const ADDRESS_REFUSED = 'ERR_COUNTERSIGN_ADDRESS_REFUSED'

type Resolve = (
  host: string,
  options: { readonly all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** Whether a host that is an address may be connected to: a name is looked at when it is looked up. */
export function mayConnect(host: string, privateHosts: PrivateHosts): boolean {
  const bare = host.replace(/^\[|\]$/g, '')
  return isIP(bare) === 0 || privateHosts.has(host) || isPublicAddress(bare)
}

/**
 * Looks a name up for the connection that is being made, and fails it where any of its addresses is not
 * public. What is checked is what is connected to, so that a name that leads elsewhere on the second look
 * (DNS rebinding) leads nowhere.
 */
export function createCheckedLookup(
  privateHosts: PrivateHosts,
  resolve: Resolve = lookup,
): LookupFunction {
  return (host, options, done) => {
    resolve(host, { all: true }, (error, addresses) => {
      if (error !== null) return done(error, [])
      const isAllowed =
        privateHosts.has(host.toLowerCase()) ||
        (addresses.length > 0 && addresses.every(({ address }) => isPublicAddress(address)))
      if (!isAllowed) {
        return done(Object.assign(new Error('not a public address'), { code: ADDRESS_REFUSED }), [])
      }
      if (options.all === true) return done(null, addresses)
      const [first] = addresses
      done(null, first?.address ?? '', first?.family)
    })
  }
}
