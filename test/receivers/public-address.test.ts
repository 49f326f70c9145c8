import { BlockList } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isPublicAddress } from '../../src/receivers/public-address.ts'

/** The registries of special addresses, as RFC 6890 and its successors list them (IANA, IPv4 and IPv6). */
const SPECIAL = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ...['192.0.0.0/24', '192.0.2.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24'],
  ...['203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4', '255.255.255.255/32'],
  ...['::/128', '::1/128', '64:ff9b::/96', '64:ff9b:1::/48', '100::/64', '2001:db8::/32'],
  ...['fc00::/7', 'fe80::/10', 'ff00::/8', '2002::/16'],
]

describe('an address', () => {
  test.each([
    ...['127.0.0.1', '127.1.2.3', '0.0.0.0', '10.1.2.3', '172.31.255.255', '192.168.1.1'],
    ...['169.254.169.254', '100.100.100.200', '198.18.0.1', '224.0.0.1', '255.255.255.255'],
    ...['::1', '::', 'fe80::1', 'fd00:ec2::254', 'ff02::1', '2001:db8::1'],
    ...['::ffff:127.0.0.1', '::ffff:a9fe:a9fe', '::ffff:10.0.0.1', '64:ff9b::7f00:1'],
    ...['64:ff9b::a9fe:a9fe', '2002:7f00:1::', '2001:0:7f00:1::', ''],
    ...['localhost', '127.1', '0x7f.0.0.1', '2130706433', '1.2.3.4.5'],
  ])('%s is not of the public network', (address) => {
    expect(isPublicAddress(address)).toBe(false)
  })

  test.each(['1.1.1.1', '8.8.8.8', '93.184.215.14', '2606:4700:4700::1111', '::ffff:8.8.8.8'])(
    '%s is of the public network',
    (address) => {
      expect(isPublicAddress(address)).toBe(true)
    },
  )

  /** Witness: Node's own block list over the registries. */
  test('of a registry of special addresses is never public', () => {
    const list = new BlockList()
    for (const subnet of SPECIAL) {
      const [network = '', bits = ''] = subnet.split('/')
      list.addSubnet(network, Number(bits), network.includes(':') ? 'ipv6' : 'ipv4')
    }
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
        const family = address.includes(':') ? 'ipv6' : 'ipv4'
        const isMapped = address.toLowerCase().startsWith('::ffff:')
        if (!isMapped && list.check(address, family)) expect(isPublicAddress(address)).toBe(false)
      }),
      { numRuns: 5000 },
    )
  })
})
