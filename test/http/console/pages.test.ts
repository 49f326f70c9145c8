import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Scope } from '../../../src/store/store.ts'
import {
  type ConsoleWorld,
  makeDevices,
  openConsoleWorld,
  populate,
  SCRIPTS,
} from './pages-world.ts'

let world: ConsoleWorld
let ids: Awaited<ReturnType<typeof populate>>
beforeAll(async () => {
  world = await openConsoleWorld()
  ids = await populate(world)
})
afterAll(() => world.close())

const page = async (path: string, scopes?: readonly Scope[]): Promise<string> => {
  const answer = await world.get(path, scopes)
  const text = await answer.text()
  expect(answer.status, text).toBe(200)
  expect(answer.headers.get('content-type')).toBe('text/html; charset=UTF-8')
  return text
}
const device = (id: string) => `/console/devices/${id}`

describe('the overview', () => {
  test('of an empty service says the three things to do next', async () => {
    const empty = await openConsoleWorld()
    const text = await (await empty.get('/console')).text()
    await empty.close()
    expect(text.match(/<h3>/g)).toHaveLength(3)
    expect(text).toContain('clients create --name gateway --scope access.evaluate')
  })

  test('says how many devices have which verdict, and what became of it in an hour and a day', async () => {
    const text = await page('/console')
    expect(text).toContain('<strong>11,240</strong><small><span>+5 in the hour</span>')
    expect(text).toContain('<strong>12</strong><small><span>−5 in the hour</span>')
  })

  test('draws what is not trusted over time, with the numbers behind it', async () => {
    const text = await page('/console')
    expect(text).toMatch(/<path class="area fill untrusted" d="M[\d.,MLHVZ-]+"/)
    expect(text).toContain('<caption class="vh">Devices that are not trusted</caption>')
    const week = await page('/console?range=week')
    expect(week).toContain('<strong aria-current="true">7 days</strong>')
  })

  test('leads from a clause to the devices that do not meet it', async () => {
    expect(await page('/console')).toContain('href="/console/devices?clause=secure_boot_on"')
  })

  test('shows holds with what to do, and rollouts with their rings', async () => {
    const text = await page('/console')
    expect(text).toContain('holds end hld_test --reason TEXT')
    expect(text).toMatch(/Rings of rol_/)
    expect(text.match(/class="passed"/g)?.length).toBeGreaterThanOrEqual(6)
    expect(text).toContain('<td>under way</td>')
  })

  test('answers from a few small reads, and never reads the fleet', async () => {
    const { calls } = world.fleet.service
    calls.length = 0
    await page('/console')
    const reads = new Set(calls)
    for (const name of ['counts', 'countDevices', 'attestedDevices', 'fleetPage', 'groupDevices']) {
      expect(reads).not.toContain(name)
    }
    expect(calls.length).toBeLessThanOrEqual(16)
  })
})

describe('the list of devices', () => {
  test('is found by what the filters say, and the address can be kept', async () => {
    const text = await page('/console/devices?clause=secure_boot_on')
    expect(text).toContain('LAPTOP-ADA')
    expect(text.match(/<tr><th scope="row">/g)).toHaveLength(1)
    expect(text).toContain('<option value="secure_boot_on" selected>')
    const sent = await world.get('/console/devices?search=&verdict=untrusted&ring=&label=')
    expect(sent.status).toBe(303)
    expect(sent.headers.get('location')).toBe('/console/devices?verdict=untrusted')
  })

  test.each([
    ['search=laptop-', ['LAPTOP-ADA']],
    ['owner=ADA@example.com', ['LAPTOP-ADA']],
    ['label=lab+2', ['LAPTOP-ADA']],
    ['label=lab+2%3Bvip', ['LAPTOP-ADA']],
    ['label=lab+2%3Bother', []],
    ['ring=0&owner=ada@example.com', ['LAPTOP-ADA']],
    ['ring=43', []],
    ['seen=within-1h&owner=ada@example.com', ['LAPTOP-ADA']],
    ['seen=over-7d', []],
    ['issuer=https%3A%2F%2Fother.example', []],
  ])('by %s', async (query, names) => {
    const text = await page(`/console/devices?${query}`)
    const found = [...text.matchAll(/<tr><th scope="row"><a [^>]*>([^<]*)</g)].map(
      ([, name]) => name,
    )
    expect(found).toEqual(names)
  })

  test.each(['ring=ninety', 'verdict=fine', 'seen=yesterday', 'nothing=x', 'after=x'])(
    'says what is wrong with %s, and keeps the form',
    async (query) => {
      const answer = await world.get(`/console/devices?${query}`)
      expect(answer.status).toBe(400)
      const text = await answer.text()
      expect(text).toContain('role="alert"')
      expect(text).toContain('<form class="fields" method="get" action="/console/devices"')
    },
  )

  test('goes on behind the last one, whatever comes meanwhile', async () => {
    const paged = await openConsoleWorld()
    const all = (await makeDevices(paged.fleet, 120)).toSorted()
    const seen: string[] = []
    let path: string | undefined = '/console/devices?verdict=trusted'
    while (path !== undefined) {
      const text = await (await paged.get(path)).text()
      seen.push(
        ...[...text.matchAll(/scope="row"><a href="\/console\/devices\/(dev_\w+)"/g)].map(
          ([, id = '']) => id,
        ),
      )
      const next = /rel="next" href="([^"]*)"/.exec(text)?.[1]?.replaceAll('&amp;', '&')
      path = next
    }
    await paged.close()
    expect(seen).toEqual(all)
  })

  test('is counted by clause, and each leads back to its devices', async () => {
    const text = await page('/console/devices?by=clause&verdict=untrusted')
    expect(text).toContain('href="/console/devices?verdict=untrusted&amp;clause=secure_boot_on"')
  })
})

describe('an export', () => {
  test('as CSV is read by Python, with every cell that a spreadsheet would compute led by an apostrophe', async () => {
    const answer = await world.get('/console/devices/export.csv')
    expect(answer.headers.get('content-type')).toBe('text/csv; charset=UTF-8; header=present')
    expect(answer.headers.get('content-disposition')).toBe(
      'attachment; filename="devices-2026-03-01.csv"',
    )
    const program =
      'import csv,io,json,sys;print(json.dumps(list(csv.reader(io.StringIO(sys.stdin.read(),newline="")))))'
    const rows: string[][] = JSON.parse(
      execFileSync('python3', ['-c', program], { input: await answer.text(), encoding: 'utf8' }),
    )
    expect(rows).toHaveLength(14)
    const hostile = rows.find(([id]) => id === ids.hostile) ?? expect.unreachable()
    expect(hostile).toContain(`'${SCRIPTS[4]}`)
    expect(hostile).toContain(SCRIPTS[0])
    expect(rows.flat().filter((cell) => /^[=+\-@\t\r]/.test(cell))).toEqual([])
  })
})

describe('one device', () => {
  test('says why it is denied, since when, what repairs it, and that a restart shows it', async () => {
    const text = await page(device(ids.denied))
    expect(text).toContain(
      '<span class="v untrusted">untrusted</span> since <time datetime="2026-03-01T12:06:00.000Z">',
    )
    expect(text).toContain(
      '<strong>Secure Boot is off.</strong> Turn on Secure Boot in the firmware settings',
    )
    expect(text).toContain('It is measured at boot: restart to see a change.')
  })

  test('shows each clause with the value that was seen and the one that is asked for', async () => {
    const text = await page(device(ids.denied))
    const row = /<tr><th scope="row"><span id="clause-secure_boot_on">[\s\S]*?<\/tr>/.exec(
      text,
    )?.[0]
    expect(row).toContain('<span class="v untrusted">failed</span>')
    expect(row).toContain('<code>secureBootEnabled</code> false')
    expect(row).toContain('<code>secureBootEnabled</code> true <small>(is false)</small>')
    expect(row).toContain('at boot: restart to see a change')
    expect(text.match(/<span class="v trusted">passed<\/span>/g)?.length).toBeGreaterThan(10)
  })

  test('shows what differs from the last attestation that came to trust, first', async () => {
    const text = await page(device(ids.denied))
    const [, different = ''] = /aria-label="Values that differ"([\s\S]*?)<\/table>/.exec(text) ?? []
    const rows = [
      ...different.matchAll(
        /<code>(\w+)<\/code><\/th><td><div[^>]*>(\w+)<\/div><\/td><td><div[^>]*>(\w+)</g,
      ),
    ]
    expect(rows.map(([, ...cells]) => cells)).toEqual([
      ['secureBootEnabled', 'false', 'true'],
      ['bitlockerEnabled', 'false', 'true'],
    ])
  })

  test('draws its attempts, and says where a refused one ended', async () => {
    const text = await page(device(ids.denied))
    expect(text.match(/<circle class="mark/g)).toHaveLength(5)
    expect(text).toContain('<code>log_pcr_mismatch</code>')
    expect(text).toContain('<small>event: 17</small>')
    expect(text).toContain('<span class="v untrusted">failed</span> boot_log: log_pcr_mismatch')
  })

  test('says what would be decided about a question that is filled in', async () => {
    const text = await page(`${device(ids.healthy[5] ?? '')}?action=signin&resource=app:payroll`)
    expect(text).toContain(
      'This question from this device would be <span class="v trusted">granted</span> now.',
    )
    expect(text).toContain('value="app:payroll"')
  })

  test('that nobody knows is not found, with what to do', async () => {
    for (const id of ['dev_nobody', ids.denied.replace(/.$/, 'x')]) {
      const answer = await world.get(device(id))
      expect(answer.status).toBe(404)
      expect(await answer.text()).toContain('A device appears with its first attestation')
    }
  })
})

describe('what others wrote', () => {
  test.each(['/console', '/console/devices', 'device'])('comes out of %s as text', async (path) => {
    const text = await page(path === 'device' ? device(ids.hostile) : path)
    expect(text).not.toMatch(/<script|<img|<b>|href="javascript/i)
    if (path !== '/console') expect(text).toContain('&lt;script&gt;window.pwned=1&lt;/script&gt;')
  })
})
