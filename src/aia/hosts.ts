import { MAX_AIA_URL_CHARS } from './limits.ts'

/** A place that certificates may be fetched from: a line of the allow-list. */
export type AiaPlace = {
  readonly host: RegExp
  /** As `URL.port` has it: empty for that of the scheme. */
  readonly port: string
  /** Beginning of the path, which ends with a slash. */
  readonly path: string
}

/**
 * Where authorities of TPMs and of attestation keys publish their certificates, as the `caIssuers` of
 * real certificates name it (RFC 5280 §4.2.2.1). Microsoft's are also among the addresses that Azure
 * Virtual Desktop wants open; its storage accounts are named after a region.
 */
export const KNOWN_AIA_HOSTS: readonly string[] = [
  'azcsprod*aikpublish.blob.core.windows.net',
  '*.aikcertaia.microsoft.com',
  'www.microsoft.com/pkiops/certs/',
  'ftpm.amd.com',
  'pki.infineon.com',
  'tsci.intel.com',
  'trustedservices.intel.com',
  'upgrades.intel.com',
  'pki.nsing.com.sg',
  'www.nuvoton.com/security/',
  'secure.globalsign.com',
  'sw-center.st.com',
]

const LABEL = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/
const LABEL_WITH_STAR = /^[a-z0-9-]{0,62}\*[a-z0-9-]{0,62}$/
/** Of `host`, `host:port` and `host/path/`. */
const PARTS = /^([^:/]+)(?::([1-9]\d{0,4}))?(\/(?:[A-Za-z0-9._~-]+\/)*)?$/

/**
 * Reads `HOST[:PORT][/PATH/]`. One `*` may stand in a label for letters and digits, one or more, but
 * in neither of the last two, so that nobody allows a whole registry. `undefined` for all else, also
 * for addresses in place of names.
 */
export function readAiaPlace(text: string): AiaPlace | undefined {
  const [, name = '', port = '', path = '/'] = PARTS.exec(text) ?? []
  const labels = name.split('.')
  const fixed = labels.slice(-2)
  const isName =
    labels.every((label) => LABEL.test(label) || LABEL_WITH_STAR.test(label)) &&
    !fixed.some((label) => label.includes('*')) &&
    !/^\d+$/.test(fixed.at(-1) ?? '')
  if (!isName || name.length > 253 || Number(port || 0) > 65_535) return undefined
  const pattern = name.replaceAll('.', '\\.').replaceAll('*', '[a-z0-9]{1,63}')
  return { host: new RegExp(`^${pattern}$`), port, path }
}

/** What a path may hide a way out of its folder in, for a server that decodes it twice. */
const HIDDEN_PATH = /%(?:2e|2f|5c|25)/i

/**
 * The URL, if it is one that may be fetched: http or https, of a place on the list, without
 * credentials. What is compared is what would be connected to, as the URL Standard reads it.
 */
export function allowAiaUrl(text: string, places: readonly AiaPlace[]): URL | undefined {
  if (text.length > MAX_AIA_URL_CHARS || !/^https?:\/\//i.test(text) || !URL.canParse(text)) {
    return undefined
  }
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') return undefined
  const isAllowed = places.some(({ host, port, path }) => {
    return host.test(url.hostname) && url.port === port && isInside(url.pathname, path)
  })
  if (!isAllowed) return undefined
  url.hash = ''
  return url
}

function isInside(pathname: string, folder: string): boolean {
  return folder === '/' || (pathname.startsWith(folder) && !HIDDEN_PATH.test(pathname))
}
