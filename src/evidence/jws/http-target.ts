/** RFC 3986 §2: reserved and unreserved characters, and escapes that are whole. */
const URI_TEXT = /^(?:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*$/
const HTTP_URI = /^(https?):\/\/([^/?#]*)([^?#]*)(?:\?[^#]*)?(?:#[^#]*)?$/i
/** RFC 3986 §3.2 without user information, which an `http` URI must not have: RFC 9110 §4.2.4. */
const AUTHORITY = /^(\[[0-9A-Fa-f:.]+\]|[^:@[\]]+)(?::([0-9]*))?$/
const UNRESERVED = /^[A-Za-z0-9\-._~]$/
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: '80', https: '443' }

/**
 * An `http` or `https` URI without query and fragment in its normal form, so that two of one form
 * name one target: RFC 3986 §6.2.2 (case of scheme, host and escapes, escapes of what needs none, dot
 * segments) and §6.2.3 (default port, empty path), as RFC 9449 §4.3 asks for `htu`. `undefined` for
 * anything that RFC 3986 does not call such a URI: what browsers make of back slashes, white space
 * or letters of other scripts is guesswork that a proof has no use for.
 */
export function normalizeHttpTarget(text: string): string | undefined {
  const parts = URI_TEXT.test(text) ? HTTP_URI.exec(text) : null
  const [, scheme = '', authority = '', path = ''] = parts ?? []
  const [, host, port = ''] = AUTHORITY.exec(authority) ?? []
  if (parts === null || host === undefined) return undefined
  const lower = scheme.toLowerCase()
  const shownPort = port === '' || port === DEFAULT_PORTS[lower] ? '' : `:${port}`
  // Escapes keep their capitals, which the host's letters lose.
  const name = normalizeEscapes(normalizeEscapes(host).toLowerCase())
  return `${lower}://${name}${shownPort}${removeDotSegments(normalizeEscapes(path))}`
}

/** RFC 3986 §6.2.2.1 and §6.2.2.2. */
function normalizeEscapes(text: string): string {
  return text.replace(/%[0-9A-Fa-f]{2}/g, (written) => {
    const character = String.fromCharCode(Number.parseInt(written.slice(1), 16))
    return UNRESERVED.test(character) ? character : written.toUpperCase()
  })
}

/** RFC 3986 §5.2.4, of a path that is empty or begins with a slash. */
function removeDotSegments(path: string): string {
  const kept: string[] = []
  const segments = path.split('/').slice(1)
  for (const [index, segment] of segments.entries()) {
    const isDot = segment === '.' || segment === '..'
    if (segment === '..') kept.pop()
    if (!isDot) kept.push(segment)
    else if (index === segments.length - 1) kept.push('')
  }
  return `/${kept.join('/')}`
}
