import { readFileSync } from 'node:fs'
import { PGlite } from '@electric-sql/pglite'
import { afterAll, expect, test } from 'vitest'

const folder = new URL('../../../drizzle/', import.meta.url)
const journal: { readonly entries: readonly { readonly tag: string }[] } = JSON.parse(
  readFileSync(new URL('meta/_journal.json', folder), 'utf8'),
)
const client = await PGlite.create()
afterAll(() => client.close())

async function apply(tag: string): Promise<void> {
  await client.exec(readFileSync(new URL(`${tag}.sql`, folder), 'utf8'))
}

test('a fleet that is there before the sweep is taken as told what it counts as', async () => {
  const tags = journal.entries.map(({ tag }) => tag)
  const sweep = tags.findIndex((tag) => tag.endsWith('_sweep_functions'))
  for (const tag of tags.slice(0, sweep)) await apply(tag)
  const attested = (verdict: string, validUntil: string) =>
    `'a', now(), '${validUntil}', 'i', 'p', 'k', '{}'::jsonb, '${verdict}', '[]'::jsonb`
  const never = Array.from({ length: 9 }, () => 'null').join()
  const rows = [
    ['trusted', 'admitted', 'null, null, null', attested('trusted', 'infinity')],
    ['untrusted', 'admitted', 'null, null, null', attested('untrusted', 'infinity')],
    ['stale', 'admitted', 'null, null, null', attested('trusted', '2020-01-01')],
    ['quarantined', 'admitted', `now(), 'b', 'r'`, attested('trusted', 'infinity')],
    ['unknown', 'pending', 'null, null, null', attested('trusted', 'infinity')],
    ['unknown', 'admitted', 'null, null, null', never],
  ]
  for (const [index, [verdict, enrolment, quarantine, evidence]] of rows.entries()) {
    await client.exec(`insert into device (device_id, key_kind, device_key_hash, enrolment, ring,
      quarantined_at, quarantined_by, quarantine_reason, attestation_id, attested_at, valid_until,
      issuer, policy_hash, confirmation_key, claims, verdict, reasons, created_at, updated_at)
      values ('${index} ${verdict}', 'aik', 'h', '${enrolment}', 1, ${quarantine}, ${evidence},
        now(), now())`)
  }
  for (const tag of tags.slice(sweep)) await apply(tag)
  const { rows: found } = await client.query<Record<string, string>>(
    'select device_id, announced_verdict from device order by 1',
  )
  expect(found.map((row) => `${row.device_id?.slice(2)}: ${row.announced_verdict}`)).toEqual(
    rows.map(([verdict]) => `${verdict}: ${verdict}`),
  )
  const { rows: events } = await client.query('select from outbox')
  expect(events).toEqual([])
})
