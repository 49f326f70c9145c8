import { equalBytes } from '../../base/digest.ts'
import { DER, DerFields, type DerNode, decodeDer, MalformedDer } from './der.ts'
import { type GeneralName, type NameForm, readGeneralName } from './general-name.ts'
import { MAX_GENERAL_NAMES } from './limits.ts'

/** The subtrees of one certificate's nameConstraints. RFC 5280 §4.2.1.10 */
export type NameConstraints = {
  readonly permitted: readonly GeneralName[]
  readonly excluded: readonly GeneralName[]
}

/** Throws `MalformedDer`; passes an absent extension through. */
export function readNameConstraints(value: Uint8Array | undefined): NameConstraints | undefined {
  if (value === undefined) return undefined
  const fields = new DerFields(decodeDer(value, 'nameConstraints'), 'nameConstraints')
  const permitted = fields.optional(0xa0)
  const excluded = fields.optional(0xa1)
  fields.end('nameConstraints')
  if (permitted === undefined && excluded === undefined) throw new MalformedDer('nameConstraints')
  return { permitted: readSubtrees(permitted), excluded: readSubtrees(excluded) }
}

/** Their minimum is 0, which DER leaves out, and they have no maximum: §4.2.1.10. */
function readSubtrees(node: DerNode | undefined): readonly GeneralName[] {
  if (node === undefined) return []
  if (node.children.length === 0 || node.children.length > MAX_GENERAL_NAMES) {
    throw new MalformedDer('GeneralSubtrees')
  }
  return node.children.map((child) => {
    const [base, ...limits] = child.children
    if (child.tag !== DER.sequence || base === undefined || limits.length > 0) {
      throw new MalformedDer('GeneralSubtree')
    }
    return readGeneralName(base)
  })
}

/**
 * The first of `names` that `constraints` do not let through, by its form; else `undefined`.
 *
 * Constraints on forms that are not compared here, and such as cannot be understood, refuse every
 * name of their form: RFC 5280 §4.2.1.10 leaves processing or refusing. RFC 5280 §6.1.3 (b), (c)
 */
export function findRefusedName(
  names: readonly GeneralName[],
  { permitted, excluded }: NameConstraints,
): NameForm | undefined {
  const isRefused = (name: GeneralName) => {
    const allowed = permitted.filter(({ form }) => form === name.form)
    return (
      excluded.some((base) => base.form === name.form && matches(name, base) !== 'outside') ||
      (allowed.length > 0 && !allowed.some((base) => matches(name, base) === 'inside'))
    )
  }
  return names.find(isRefused)?.form
}

/** `unclear` is a name or a base that cannot be compared: neither permitted nor not excluded. */
type Match = 'inside' | 'outside' | 'unclear'

function matches(name: GeneralName, base: GeneralName): Match {
  switch (name.form) {
    case 'directoryName':
      return base.form === name.form ? toMatch(startsWith(name.name, base.name)) : 'unclear'
    case 'iPAddress':
      return base.form === name.form ? matchAddress(name.octets, base.octets) : 'unclear'
    case 'dNSName':
      return base.form === name.form ? matchHost(name.text, base.text, 'domain') : 'unclear'
    case 'rfc822Name':
      return base.form === name.form ? matchMailbox(name.text, base.text) : 'unclear'
    case 'uniformResourceIdentifier':
      return base.form === name.form ? matchUri(name.text, base.text) : 'unclear'
    default:
      return 'unclear'
  }
}

function toMatch(inside: boolean): Match {
  return inside ? 'inside' : 'outside'
}

function startsWith(name: readonly string[], base: readonly string[]): boolean {
  return base.every((part, at) => name[at] === part)
}

/** An address and a mask of the same length. */
function matchAddress(address: Uint8Array, base: Uint8Array): Match {
  const size = address.length
  if ((size !== 4 && size !== 16) || (base.length !== 8 && base.length !== 32)) return 'unclear'
  if (base.length !== 2 * size) return 'outside'
  const mask = base.subarray(size)
  const masked = (octets: Uint8Array) => octets.map((octet, at) => octet & (mask[at] ?? 0))
  return toMatch(equalBytes(masked(address), masked(base.subarray(0, size))))
}

const HOST = /^[A-Za-z0-9_*-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*$/

/**
 * `domain` is the rule for dNSName: a base takes its own host and everything below. `host` is that
 * for mailboxes and URIs: it takes its own host alone, or with a leading period all below.
 */
function matchHost(written: string, writtenBase: string, rule: 'domain' | 'host'): Match {
  const name = written.toLowerCase()
  const base = writtenBase.toLowerCase()
  if (!HOST.test(name)) return 'unclear'
  if (base === '') return rule === 'domain' ? 'inside' : 'unclear'
  const isBelow = rule === 'host' && base.startsWith('.')
  const host = isBelow ? base.slice(1) : base
  if (!HOST.test(host)) return 'unclear'
  if (isBelow) return toMatch(name.endsWith(base))
  return toMatch(name === host || (rule === 'domain' && name.endsWith(`.${host}`)))
}

/** The local part counts exactly as it is written, the host in any letter case. RFC 5280 §7.5 */
function matchMailbox(name: string, base: string): Match {
  const [local, host] = splitMailbox(name)
  if (local === undefined || host === undefined || local === '') return 'unclear'
  if (!base.includes('@')) return matchHost(host, base, 'host')
  const [localBase, hostBase = ''] = splitMailbox(base)
  if (localBase === undefined || localBase === '' || hostBase.startsWith('.')) return 'unclear'
  const match = matchHost(host, hostBase, 'host')
  return match === 'inside' ? toMatch(local === localBase) : match
}

function splitMailbox(mailbox: string): readonly [local?: string, host?: string] {
  const at = mailbox.lastIndexOf('@')
  return at === -1 ? [] : [mailbox.slice(0, at), mailbox.slice(at + 1)]
}

/** scheme://user@host:port/…, RFC 3986 §3. Without a host name there is nothing to compare. */
const AUTHORITY = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#:@[\]]+)(?::[0-9]*)?(?:[/?#]|$)/
const DOTTED_QUAD = /^[0-9.]+$/

function matchUri(name: string, base: string): Match {
  const [, host] = AUTHORITY.exec(name) ?? []
  if (host === undefined || DOTTED_QUAD.test(host)) return 'unclear'
  return matchHost(host, base, 'host')
}
