import { afterAll, describe, expect, test } from 'vitest'
import { describeApi } from '../../../src/http/openapi/document.ts'
import type { Json } from '../../support/json.ts'
import { createTestService, expectProblem } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const service = await createTestService({ database })
afterAll(() => database.close())

const read = async (path: string) => {
  const answer = await service.request(path)
  expect(answer.status, path).toBe(200)
  return { text: await answer.text(), headers: answer.headers }
}
const linksIn = (text: string) => [...text.matchAll(/href="([^"]+)"/g)].map(([, href = '']) => href)

describe('the pages of the OpenAPI document', () => {
  test('lead to every operation and schema, and nowhere else', async () => {
    const seen = new Set<string>()
    const waiting = ['/openapi']
    for (const path of waiting) {
      if (seen.has(path)) continue
      seen.add(path)
      if (!/^\/openapi(?:\/|$)/.test(path)) continue
      const { text } = await read(path)
      for (const href of linksIn(text)) {
        if (href.startsWith('#')) continue
        const { origin, pathname } = new URL(href, service.url + path)
        expect(origin, href).toBe(new URL(service.url).origin)
        waiting.push(pathname)
      }
    }
    const { paths, components } = describeApi()
    const operations = Object.values(paths).flatMap((one) => Object.values(one))
    for (const { operationId } of operations as Json[]) {
      expect(seen).toContain(`/openapi/operations/${operationId}`)
    }
    const named = Object.keys(components.schemas).filter((name) =>
      JSON.stringify(paths).includes(`schemas/${name}"`),
    )
    for (const name of named) expect(seen).toContain(`/openapi/schemas/${name}`)
  })

  test('run nothing, load one stylesheet of ours, and say so', async () => {
    const { text, headers } = await read('/openapi/operations/evaluate')
    expect(text).not.toMatch(/<script|<style|\son\w+=|style=/)
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
    expect(headers.get('content-type')).toBe('text/html; charset=UTF-8')
    const { headers: ofStyle } = await read('/openapi.css')
    expect(ofStyle.get('content-type')).toBe('text/css; charset=UTF-8')
  })

  test('are small', async () => {
    const operations = Object.values(describeApi().paths).flatMap((one) => Object.values(one))
    for (const { operationId } of operations as Json[]) {
      const { text } = await read(`/openapi/operations/${operationId}`)
      expect(text.length, operationId).toBeLessThan(60_000)
    }
    expect((await read('/openapi')).text.length).toBeLessThan(60_000)
  })

  test('have one heading of the first rank, a language, a title and a way past the header', async () => {
    for (const path of ['/openapi', '/openapi/operations/listDevices', '/openapi/schemas/Device']) {
      const { text } = await read(path)
      expect(text.match(/<h1>/g), path).toHaveLength(1)
      expect(text).toMatch(/<html lang="en">[\s\S]*<title>[^<]+<\/title>/)
      expect(text).toContain('<a class="skip" href="#main">')
      for (const [row = ''] of text.matchAll(/<thead>[\s\S]*?<\/thead>/g))
        expect(row).not.toContain('<th>')
    }
  })

  test.each(['/openapi/operations/none', '/openapi/schemas/toString'])(
    '%s is not there',
    async (path) => {
      await expectProblem(await service.request(path), 404, 'not_found')
    },
  )
})
