import { once } from 'node:events'
import { decodeJwt } from 'jose'
import { expect, test } from 'vitest'
import { command } from '../../src/cli/sign-in/sign-in.ts'
import { freePort } from '../support/free-port.ts'
import { callCommand } from './call-command.ts'
import { folderForTest, runCli, serveInTest, startCli } from './cli-process.ts'

/** The command beside a running service, as whoever tries a sign-in runs both. */

const CLIENTS = JSON.stringify([
  { provider: 'okta', client_id: 'okta', redirect_uris: ['https://acme.okta.com/callback'] },
])

async function begin(url: string) {
  const asked = new URLSearchParams({
    ...{ client_id: 'okta', redirect_uri: 'https://acme.okta.com/callback', scope: 'openid' },
    ...{ response_type: 'id_token', response_mode: 'form_post', nonce: 'n', state: 's' },
  })
  const begun = await fetch(`${url}/sign-in/authorize?${asked}`, { redirect: 'manual' })
  const [cookie = ''] = (begun.headers.get('set-cookie') ?? '').split(';')
  return { id: (begun.headers.get('location') ?? '').replace('/sign-in/', ''), cookie }
}

test('an agent proves its device by the link of a page, and for pages until it is stopped', async () => {
  const env = { DATA_DIR: folderForTest(), PORT: '0', SIGN_IN_CLIENTS: CLIENTS }
  const served = await serveInTest([], env)
  // As PUBLIC_URL has it where it is not set.
  const url = served.url.replace('127.0.0.1', 'localhost')
  // Entra's reference for providers: "must also return the valid content-length header".
  for (const path of ['.well-known/openid-configuration', 'keys']) {
    const document = await fetch(`${url}/sign-in/${path}`, {
      headers: { 'accept-encoding': 'identity' },
    })
    const { byteLength } = await document.arrayBuffer()
    expect(document.headers.get('content-length')).toBe(String(byteLength))
  }
  const { id, cookie } = await begin(url)

  const link = ['sign-in', '--url', url, '--link', `countersign:sign-in/${id}`]
  const byLink = await runCli([...link, '--json'])
  expect(byLink, byLink.stderr).toMatchObject({ code: 0 })
  const { continue_url: next } = JSON.parse(byLink.stdout)
  const page = await (await fetch(next, { headers: { cookie } })).text()
  expect(page).toContain('action="https://acme.okta.com/callback"')
  expect(page).toContain('name="id_token"')

  const handedOn = await callCommand(command, ['--url', url, '--token'])
  expect(decodeJwt(handedOn.stdout.trim())).toMatchObject({ sub: expect.stringMatching(/^dev_/) })

  const over = await runCli(link)
  expect(over).toMatchObject({ code: 3, stdout: expect.stringMatching(/^dev_\S+ is trusted\.\n$/) })
  expect(over.stderr).toContain('sign_in_unknown')

  const port = await freePort()
  const agent = startCli(['sign-in', '--url', url, '--port', String(port)])
  const [first] = await once(agent.stdout ?? agent, 'data')
  expect(String(first)).toContain('is trusted.')
  await once(agent.stdout ?? agent, 'data')
  const other = await begin(url)
  const answer = await fetch(`http://127.0.0.1:${port}/sign-in`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: url },
    body: JSON.stringify({ sign_in: other.id }),
  })
  expect(await answer.json()).toEqual({ ticket: expect.any(String) })
  agent.kill('SIGINT')
  const [code] = await once(agent, 'close')
  expect(code).toBe(0)
})

test('a link of anything else is refused before anything is done', async () => {
  const wrong = await runCli([
    'sign-in',
    '--url',
    'http://localhost:1',
    '--link',
    'https://evil.example',
  ])
  expect(wrong.code).toBe(2)
  expect(wrong.stderr).toContain('countersign:sign-in/')
})
