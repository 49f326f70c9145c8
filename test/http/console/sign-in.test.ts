import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { openTestDatabase } from '../../support/test-database.ts'
import { createConsoleService, openBrowser, PUBLIC_URL, startIdp } from './world.ts'

/** oidc-provider says who somebody is; its users, tokens and pages are its own. */

const database = await openTestDatabase()
const idp = await startIdp()
const service = await createConsoleService(idp, { database })
afterAll(async () => {
  await idp.close()
  await database.close()
})
beforeEach(() => {
  service.clock.set(new Date())
  idp.person = { sub: 'alice', name: 'Alice Example', roles: ['cs-owner'] }
})

const HOME = `${PUBLIC_URL}/console`

describe('somebody who opens the console', () => {
  test('is sent to the issuer, comes back to the page that was asked for, and is known there', async () => {
    const browser = openBrowser(service)
    const page = await browser.open(`${HOME}?since=7d`)
    expect(page.answer.status, page.text).toBe(200)
    expect(page.url).toBe(`${HOME}?since=7d`)
    expect(page.text).toContain('Alice Example')
    expect(page.path.some((url) => url.startsWith(`${idp.url}/auth?`))).toBe(true)
  })
})
