import ipaddr from 'ipaddr.js'

/**
 * Whether an address is one of the public network: neither of this machine, nor of a private network, nor of
 * any that is set aside, nor one that hides such an address in an address of IPv6. Those of the registries
 * of special addresses (RFC 6890) are none.
 */
export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) return false
  const address = ipaddr.process(text)
  return address.range() === 'unicast'
}
