import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { fingerprintOf } from '../../src/evidence/x509/fingerprint.ts'
import { type AiaServer, startAiaServer } from '../support/aia-server.ts'
import { type IssuedCertificate, issueCertificate } from '../support/certificates.ts'
import type { Json } from '../support/json.ts'
import { bundleWorker } from '../support/worker-bundle.ts'
import { type RunningWorker, runWorker } from '../support/workerd.ts'
import type { SourceOrder } from './certificate-source-worker.ts'

/** The same source in the runtime of a Worker, over its network. */
let server: AiaServer
let worker: RunningWorker
let ca: IssuedCertificate
let paths = 0
let path: string

beforeAll(async () => {
  server = await startAiaServer()
  ca = await issueCertificate({ subject: 'CA', ca: true })
  const script = await bundleWorker('test/aia/certificate-source-worker.ts')
  // The runtime wants the address of a database, which this script never asks.
  const databaseUrl = 'postgres://nobody@localhost/none'
  worker = await runWorker({ script, bindings: {}, databaseUrl })
})
afterAll(async () => {
  await worker?.close()
  await server?.close()
})
beforeEach(() => {
  paths += 1
  path = `/ca-${paths}.crt`
})

async function ask(change: Partial<SourceOrder> = {}): Promise<Json> {
  const place = `localhost:${server.port}`
  const order: SourceOrder = { place, url: `http://${place}${path}`, waitMs: 4000, ...change }
  const body = JSON.stringify(order)
  const answer = await worker.fetch(new Request(worker.url, { method: 'POST', body }))
  return answer.json()
}

test('a Worker fetches certificates from a place on the list, and from no other', async () => {
  server.serve(path, ca.der)
  expect(await ask()).toEqual({ kind: 'certificates', fingerprints: [fingerprintOf(ca)] })
  const elsewhere = `http://127.0.0.1:${server.port}${path}`
  expect(await ask({ url: elsewhere })).toEqual({ kind: 'not_allowed' })
})

test('requests that ask for one place at once are all answered, by one fetch', async () => {
  server.serve(path, (_, response) => {
    setTimeout(() => response.writeHead(200).end(ca.der), 50)
  })
  const kinds = (await Promise.all([1, 2, 3, 4].map(() => ask()))).map(({ kind }) => kind)
  expect(kinds).toEqual(Array(4).fill('certificates'))
  expect(server.asked.filter((one) => one === path)).toHaveLength(1)
})

test('a redirect to another host is not followed there either', async () => {
  const location = `http://127.0.0.1:${server.port}/elsewhere.crt`
  server.serve('/elsewhere.crt', ca.der)
  server.serve(path, (_, response) => response.writeHead(302, { location }).end())
  expect(await ask()).toMatchObject({ kind: 'unavailable' })
  expect(server.asked).not.toContain('/elsewhere.crt')
})

test('a place that says nothing holds nobody longer than a request may wait', async () => {
  server.serve(path, () => undefined)
  expect(await ask({ waitMs: 100 })).toMatchObject({ kind: 'unavailable' })
  server.serve(path, ca.der)
  expect(await ask()).toMatchObject({ kind: 'certificates' })
})
