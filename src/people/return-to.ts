/** The first page of the console, below our URL. */
export const CONSOLE_PATH = '/console'

const MAX_CHARS = 2048
/** No origin, no other host: `//host` and `/\host` are one to browsers (WHATWG URL). */
const OWN_PAGE = /^\/console(?:[/?][\x21-\x5b\x5d-\x7e]*)?$/
/** Where a sign-in itself goes on: to return there would be a circle. */
const OF_SIGN_INS = /^\/console\/(?:sign-in|callback|link|sign-out|signed-out)(?:[/?]|$)/

/**
 * Where a sign-in leads to: a page of the console, by its path below our URL and its query. Whatever else is
 * asked for leads to the first page.
 */
export function readReturnTo(text: string | undefined): string {
  if (text === undefined || text.length > MAX_CHARS || !OWN_PAGE.test(text)) return CONSOLE_PATH
  const url = new URL(text, 'http://own.invalid')
  const isOwn = url.host === 'own.invalid' && /^\/console(?:\/|$)/.test(url.pathname)
  return isOwn && !OF_SIGN_INS.test(url.pathname) ? url.pathname + url.search : CONSOLE_PATH
}
