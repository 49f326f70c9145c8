import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { makeDataDirectory } from '../support/data-directory.ts'
import { folderForTest, runCli, serveInTest } from './cli-process.ts'

vi.setConfig({ testTimeout: 120_000 })

const PATH = '/attest/Tpm?api-version=2025-06-01'

test('serve --developer says what it does, and what it refused is found by the id of its request', async () => {
  const data = join(folderForTest(), 'data')
  await makeDataDirectory(data)
  const service = await serveInTest(['--port', '0', '--data', data, '--developer'])
  expect(service.lines().map(({ event }) => event)).toContain('developer_mode')
  expect(await (await fetch(`${service.url}/healthz`)).json()).toMatchObject({ developer: true })

  const headers = { 'content-type': 'application/json', 'x-request-id': 'agent/7 &?' }
  const message = { payload: { request: 'a.b' } }
  const body = JSON.stringify({ data: btoa(JSON.stringify(message)) })
  const { status } = await fetch(service.url + PATH, { method: 'POST', headers, body })
  expect(status).toBe(400)

  const create = ['clients', 'create', '--name', 'admin', '--scope', 'admin.read', '--json']
  const client = JSON.parse((await runCli([...create, '--data', data])).stdout)
  const asked = (id: string, secret: string) =>
    runCli(
      ['devices', 'refused', '--request', id, '--url', `${service.url}/`, '--client', client.id],
      { DATA_DIR: data, COUNTERSIGN_SECRET: secret },
    )
  const found = await asked('agent/7 &?', client.secret)
  expect(found).toMatchObject({ code: 0, stderr: '' })
  expect(found.stdout).toMatch(/stage {3}evidence\nreason {2}request_jws_malformed\n/)

  const enrolment = JSON.stringify({
    ek_certificate: 'AAAA',
    ak_public: btoa(`{"kty":"RSA","n":"x"}`).replaceAll('=', ''),
  })
  const begin = { method: 'POST', headers: { ...headers, 'x-request-id': 'enrol' } }
  const begun = await fetch(`${service.url}/v1/enrolments`, { ...begin, body: enrolment })
  expect(await begun.json()).toMatchObject({ code: 'ak_public_malformed' })
  const refused = await asked('enrol', client.secret)
  expect(refused).toMatchObject({ code: 0, stderr: '' })
  for (const line of [
    /^stage +enrolment$/m,
    /^member +ak_public$/m,
    /^expected +TPMT_PUBLIC or TPM2B_PUBLIC .*: this is JSON$/m,
  ]) {
    expect(refused.stdout).toMatch(line)
  }

  const unknown = await asked('another', client.secret)
  expect(unknown.code).toBe(1)
  expect(unknown.stderr).toMatch(/remembers no refusal of request another, and those since 20/)
  const wrong = await asked('another', 'wrong')
  expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('admin.read') })
  const without = await asked('another', '')
  expect(without).toMatchObject({ code: 2, stderr: expect.stringContaining('COUNTERSIGN_SECRET') })

  await service.end('SIGTERM')
  const gone = await asked('another', client.secret)
  expect(gone).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('cannot reach the service'),
  })
})

test('serve --developer does not start where others rely on the service', async () => {
  const { code, stdout, stderr } = await runCli(['serve', '--developer'], {
    HOST: '0.0.0.0',
    PUBLIC_URL: 'https://trust.example',
    DATABASE_URL: 'postgres://localhost/x',
    AK_TRUST_ANCHORS: 'microsoft',
  })
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr.match(/--developer: /g)).toHaveLength(4)
})
