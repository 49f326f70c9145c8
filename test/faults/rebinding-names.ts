import { appendFileSync } from 'node:fs'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import type { LookupFunction } from 'node:net'

/*
 * Loaded into a service before anything else (`node --import`): the name server of somebody who means harm. Each of
 * REBINDING_HOSTS leads to a public address on the first look, and to this machine on every later one. The looks are
 * written into the file REBINDING_LOOKS, a line each. All other names are those of this machine.
 */

/** Of a block that IANA has given to nobody: public, and nobody is there. */
const NOBODY = { address: '2d00::1', family: 6 }
const HERE = { address: '127.0.0.1', family: 4 }

const { REBINDING_HOSTS = '', REBINDING_LOOKS = '' } = process.env
const hosts = REBINDING_HOSTS.split(',')
const seen = new Set<string>()
// The module itself, whose members can be replaced, and not a view of it.
const dns: { lookup: LookupFunction } = createRequire(import.meta.url)('node:dns')
const { lookup } = dns

dns.lookup = (host, options, done) => {
  if (!hosts.includes(host)) return lookup(host, options, done)
  const found = seen.has(host) ? HERE : NOBODY
  seen.add(host)
  appendFileSync(REBINDING_LOOKS, `${host} ${found.address}\n`)
  process.nextTick(() => {
    if (options.all === true) done(null, [found])
    else done(null, found.address, found.family)
  })
}
syncBuiltinESMExports()
