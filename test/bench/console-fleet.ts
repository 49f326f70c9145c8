import pg from 'pg'

/** Clauses of the baseline that one device in so many does not meet. */
const RARELY_UNMET = 500

/**
 * Repeats recorded devices until there are `devices` of them: with ids in the order of nothing, as hashes of keys come,
 * and with what devices are found by. Indexes are built behind it, as they are what is measured.
 */
export async function growFleet(url: string, devices: number): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query('select count(*)::integer as count from device')
    const copies = Math.ceil(devices / rows[0].count) - 1
    const kept = await client.query(`select indexname, indexdef from pg_indexes
      where tablename = 'device' and indexname <> 'device_pkey'`)
    for (const { indexname } of kept.rows) await client.query(`drop index "${indexname}"`)
    await client.query('alter table device set unlogged')
    if (copies > 0) await client.query(repeat(), [copies])
    for (const { indexdef } of kept.rows) await client.query(indexdef)
    await client.query('vacuum analyze device')
  } finally {
    await client.end()
  }
}

const COLUMNS = `key_kind, device_key_hash, enrolment, quarantined_at, quarantined_by, quarantine_reason,
  attestation_id, attested_at, valid_until, issuer, policy_hash, confirmation_key, claims, verdict, reasons,
  first_failed_at, graces, generation, vouched, seen_on, linked_keys, created_at, updated_at`

/** 64 hexadecimal digits in the alphabet of ids, of which 52 are an id. */
const ID = `'dev_' || left(translate(md5(n || d.device_id) || md5(d.device_id || n), '0189', 'qrst'), 52)`

function repeat(): string {
  return `insert into device (device_id, ring, owner, owner_folded, name, name_folded, labels, labels_folded, unmet,
      announced_verdict, ${COLUMNS})
    select ${ID}, (random() * 99)::integer, 'Person ' || at || '@example.com', 'person ' || at || '@example.com',
      'LAPTOP-' || at, 'laptop-' || at, label, label,
      case when at % ${RARELY_UNMET} = 0 then '{secure_boot_on}'::text[] else unmet end,
      case when at % ${RARELY_UNMET} = 0 then 'untrusted' else 'trusted' end, ${COLUMNS}
    from (select *, row_number() over () as at, array['site-' || (random() * 200)::integer] as label
      from generate_series(1, $1::integer) as n, device as d where verdict = 'trusted') as d`
}
