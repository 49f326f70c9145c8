import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { describePostgres } from '../../support/postgres.ts'
import { recordStatements } from '../../support/recorded-statements.ts'
import { type ConsoleWorld, openConsoleWorld, populate } from './pages-world.ts'

const DEVICES = 40_000
/** One in so many devices has each rare thing. */
const RARE = 2000
/** Rows that scans of one page look at in all: some pages of devices, and small tables whole. */
const LOOKED_MOST = 4000

type Plan = {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly 'Rows Removed by Index Recheck'?: number
  readonly Plans?: readonly Plan[]
}

/**
 * What each page asks of the database in a large fleet, by PostgreSQL's own plans and counts (`EXPLAIN ANALYZE`) of
 * the statements that it really sends: none goes through the fleet.
 */
describePostgres('pages of a large fleet', () => {
  let world: ConsoleWorld
  let client: pg.Client
  let ids: Awaited<ReturnType<typeof populate>>
  beforeAll(async () => {
    world = await openConsoleWorld()
    ids = await populate(world)
    const { query } = world.fleet.service
    const [row] = await query('select current_database() as name')
    const url = Object.assign(new URL(inject('postgres')?.url ?? ''), { pathname: `/${row?.name}` })
    client = new pg.Client({ connectionString: url.href })
    await client.connect()
    await client.query(`insert into device (device_id, key_kind, device_key_hash, enrolment, ring, owner,
        owner_folded, name, name_folded, labels, labels_folded, unmet, announced_verdict, attestation_id,
        attested_at, valid_until, issuer, policy_hash, confirmation_key, claims, verdict, reasons, seen_on,
        created_at, updated_at)
      select 'dev_' || left(translate(md5(i::text) || md5('x' || i), '0189', 'qrst'), 52), 'aik', 'hash',
        'admitted', i % 100, 'Person ' || i, 'person ' || i, 'LAPTOP-' || i, 'laptop-' || i,
        case when r then '{common,rare}'::text[] else '{common}' end,
        case when r then '{common,rare}'::text[] else '{common}' end,
        case when r then '{secure_boot_on}'::text[] else '{}' end,
        case when r then 'untrusted' else 'trusted' end, d.attestation_id, d.attested_at, d.valid_until,
        d.issuer, d.policy_hash, d.confirmation_key,
        case when r then d.claims || '{"secureBootEnabled": false}' else d.claims end,
        case when r then 'untrusted' else 'trusted' end, '[]', d.seen_on, d.created_at, d.updated_at
      from (select i, i % ${RARE} = 0 as r from generate_series(1, ${DEVICES}) as i) as made,
        (select * from device where device_id = '${ids.healthy[5]}') as d`)
    await client.query('analyze')
  }, 180_000)
  afterAll(async () => {
    await client?.end()
    await world?.close()
  })

  async function explain(path: string) {
    // Documents are at hand from the first page on.
    await world.get(path)
    const { answer, statements } = await recordStatements(() => world.get(path))
    expect(answer.status).toBe(200)
    const plans: Plan[] = []
    for (const { text, values } of statements) {
      const explained = await client.query(`explain (analyze, format json) ${text}`, [...values])
      plans.push(explained.rows[0]['QUERY PLAN'][0].Plan)
    }
    return { plans, statements, text: await answer.text() }
  }

  function nodesOf(plan: Plan): readonly Plan[] {
    return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)]
  }

  function looked(plan: Plan): number {
    const own = plan['Node Type'].includes('Scan') ? plan['Actual Rows'] : 0
    const removed =
      (plan['Rows Removed by Filter'] ?? 0) + (plan['Rows Removed by Index Recheck'] ?? 0)
    return (own + removed) * plan['Actual Loops']
  }

  test.each<readonly [string, () => string]>([
    ['the overview', () => '/console'],
    ['the overview of 90 days', () => '/console?range=quarter'],
    ['the list', () => '/console/devices'],
    ['a clause that few do not meet', () => '/console/devices?clause=secure_boot_on'],
    ['a verdict that nearly all have', () => '/console/devices?verdict=trusted'],
    ['an owner', () => '/console/devices?owner=person+777'],
    ['the beginning of a name', () => '/console/devices?search=laptop-3999'],
    ['a label', () => '/console/devices?label=rare'],
    ['a ring', () => '/console/devices?ring=7'],
    ['a ring and a clause', () => '/console/devices?ring=0&clause=secure_boot_on'],
    ['when it attested', () => '/console/devices?seen=over-90d'],
    ['who waits', () => '/console/devices?enrolment=pending'],
    ['an exception', () => '/console/devices?override=any'],
    ['counts of few by label', () => '/console/devices?by=label&clause=secure_boot_on'],
    ['a device', () => `/console/devices/${ids.denied}`],
  ])('%s goes through no fleet', async (_, path) => {
    const { plans, statements } = await explain(path())
    const nodes = plans.flatMap(nodesOf)
    const whole = nodes.filter((node) => {
      return node['Node Type'] === 'Seq Scan' && node['Relation Name'] === 'device'
    })
    // Where nearly all are found the first fifty are, without going on.
    expect(whole.filter((node) => looked(node) > LOOKED_MOST)).toEqual([])
    expect(nodes.reduce((sum, node) => sum + looked(node), 0)).toBeLessThanOrEqual(LOOKED_MOST)
    expect(statements.length).toBeLessThanOrEqual(24)
  })

  test('and what does go through the fleet would be seen', async () => {
    const { plans } = await explain('/console/devices?by=label')
    const rows = plans.flatMap(nodesOf).reduce((sum, node) => sum + looked(node), 0)
    expect(rows).toBeGreaterThan(DEVICES)
  })
})
