import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { issueCertificate, toPem } from '../support/certificates.ts'
import { bundleWorker } from '../support/worker-bundle.ts'

let worker: Miniflare
let url: URL

beforeAll(async () => {
  const certificate = await issueCertificate({ subject: 'relay', key: { kind: 'rsa' } })
  const key = await crypto.subtle.exportKey('pkcs8', certificate.keys.privateKey)
  const PEM = certificate.pem + toPem(new Uint8Array(key), 'PRIVATE KEY')
  const options = {
    modules: true as const,
    script: await bundleWorker('test/azure/relay-worker.ts'),
    compatibilityDate: '2026-10-01',
    compatibilityFlags: ['nodejs_compat'],
    bindings: { PEM },
  }
  worker = new Miniflare(convertV4MiniflareOptions(options))
  url = await worker.ready
})

afterAll(() => worker.dispose())

const ask = async (path: string) => await (await fetch(new URL(path, url))).text()

test('in a Worker the SDK answers with a list of numbers, and the relay with the answer', async () => {
  expect(await ask('/sdk')).toMatch(/^123,34,112(,\d+)+$/)
  expect(JSON.parse(await ask('/relay'))).toEqual({
    result: {
      ok: true,
      value: '{"payload":{"challenge":"AAAA","service_context":"BBBB"}}',
    },
    state: { available: true },
    tokens: 1,
  })
})

test('requests beside and after one another share the relay and its token, and no I/O', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask('/relay')))
  for (const text of answers) expect(JSON.parse(text)).toMatchObject({ result: { ok: true } })
  expect(JSON.parse(await ask('/relay')).tokens).toBe(1)
})
