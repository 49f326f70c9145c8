import { isIP } from 'node:net'
import { z } from 'zod'

const LABEL = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/

/**
 * Hosts that may be connected to although they are on a private network, where the URL comes from a receiver, a
 * client or an issuer: names and addresses, in small letters, as they stand in that URL. Without it none is.
 */
export const privateHosts = z
  .string()
  .default('')
  .transform((text, context): ReadonlySet<string> => {
    const hosts = text
      .split(',')
      .map((word) => word.trim())
      .filter((word) => word !== '')
    for (const host of hosts) {
      const isName = isIP(host) !== 0 || host.split('.').every((label) => LABEL.test(label))
      if (isName && host.length <= 253) continue
      context.addIssue({ code: 'custom', message: `${host} is no host in small letters` })
    }
    return new Set(hosts)
  })
