import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { newBrowserSecret } from '../../operations/people/begin-console.ts'
import type { HttpContext } from '../environment.ts'

/** What cookies of the console depend on. */
export type CookieServices = {
  /** Without TLS, which only a service on a loopback address is without, cookies have no `__Host-`, nor `Secure`. */
  readonly publicUrl: string
  readonly random: (length: number) => Uint8Array
}

const SESSION = 'countersign-console'
/** What a sign-in is bound to that a browser begins. */
const BROWSER = 'countersign-browser'

/**
 * For this host alone and out of reach of scripts (RFC 6265bis §4.1.3.2). `Lax`: whoever follows a link to the
 * console, or comes back from the issuer, is known; what other sites post comes without it.
 */
const SHARED = { path: '/', httpOnly: true, sameSite: 'Lax' } as const

export function readSessionCookie(c: HttpContext, services: CookieServices): string | undefined {
  return read(c, services, SESSION)
}

/** Until the browser ends: how long it counts it says itself. */
export function keepSessionCookie(c: HttpContext, services: CookieServices, cookie: string): void {
  keep(c, services, { name: SESSION, value: cookie })
}

export function dropSessionCookie(c: HttpContext, services: CookieServices): void {
  if (isSecure(services)) {
    deleteCookie(c, SESSION, { ...SHARED, secure: true, prefix: 'host' })
  } else deleteCookie(c, SESSION, SHARED)
}

export function readBrowserCookie(c: HttpContext, services: CookieServices): string | undefined {
  return read(c, services, BROWSER)
}

/** The secret of this browser, which gets one where it has none. */
export function keepBrowserCookie(c: HttpContext, services: CookieServices): string {
  const known = read(c, services, BROWSER)
  if (known !== undefined) return known
  const value = newBrowserSecret(services.random)
  keep(c, services, { name: BROWSER, value })
  return value
}

function read(c: HttpContext, services: CookieServices, name: string): string | undefined {
  return isSecure(services) ? getCookie(c, name, 'host') : getCookie(c, name)
}

function keep(
  c: HttpContext,
  services: CookieServices,
  { name, value }: { readonly name: string; readonly value: string },
): void {
  if (isSecure(services)) setCookie(c, name, value, { ...SHARED, secure: true, prefix: 'host' })
  else setCookie(c, name, value, SHARED)
}

function isSecure({ publicUrl }: Pick<CookieServices, 'publicUrl'>): boolean {
  return publicUrl.startsWith('https:')
}
