import { html } from 'hono/html'
import { expect, test } from 'vitest'
import { type Frame, renderPage } from '../../../src/http/console/layout.ts'
import { codeTag, count, link, plainTimes, relative } from '../../../src/http/console/parts.ts'

const FRAME: Frame = {
  viewer: { name: 'Tess <b>', roles: ['viewer'], may: () => false },
  sections: [
    { name: '', title: 'Overview' },
    { name: 'devices', title: 'Devices' },
  ],
  ...{ host: 'pdp.example', version: '0.1.0', prefix: '' },
}
const said = { requestId: 'req', nonce: 'n0nce' }

test('a page stands in its frame: where it is, who looks at it, and what is jumped over', () => {
  const page = { title: 'Devices', section: 'devices', body: html`<p>body</p>` }
  const text = renderPage(FRAME, page, said)
  expect(text).toContain('<html lang="en">')
  expect(text).toContain('<link rel="stylesheet" nonce="n0nce" href="/console/assets/style-')
  expect(text).toContain('<a href="/console/devices" aria-current="page">Devices</a>')
  expect(text.match(/aria-current="page"/g)).toHaveLength(1)
  expect(text).toContain('Tess &lt;b&gt;')
  for (const landmark of [
    '<header class="top">',
    '<nav class="main" aria-label',
    '<main id="main"',
    '<footer',
  ])
    expect(text).toContain(landmark)
})

test('below a path of our URL links lead there, and text of others stays as it is', () => {
  const hostile = 'href="/console/x'
  const page = {
    title: hostile,
    body: html`${codeTag(hostile)}<a href="${link('/console/devices')}">x</a>`,
  }
  const text = renderPage({ ...FRAME, prefix: '/trust' }, page, said)
  expect(text).toContain('<a href="/trust/console/devices">x</a>')
  expect(text).toContain('action="/trust/console/sign-out"')
  expect(text).not.toContain('"/console')
  expect(text).toContain('<code>href=&quot;/console/x</code>')
})

test('links leave out what says nothing, and encode the rest', () => {
  expect(link('/console/devices', { a: '', b: undefined })).toBe('/console/devices')
  expect(link('/console/devices', { label: 'a&b;c', ring: '7' })).toBe(
    '/console/devices?label=a%26b%3Bc&ring=7',
  )
})

test('numbers and times are for people', () => {
  const now = new Date('2026-03-02T08:00:00Z')
  const ago = (seconds: number) => relative(new Date(now.getTime() - seconds * 1000), now)
  expect([30, 300, 7200, 172_800, -7200].map(ago)).toEqual([
    ...['just now', '5 min ago', '2 h ago', '2 days ago', 'in 2 h'],
  ])
  expect(count(1_234_567)).toBe('1,234,567')
  expect(plainTimes('until 2026-03-02T12:10:00.000Z; then')).toBe('until 2026-03-02 12:10; then')
})
