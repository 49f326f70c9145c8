import pg from 'pg'
import { httpServices } from '../../src/compose/http.ts'
import { createApp } from '../../src/http/app.ts'
import { AttestationAgent } from '../../src/simulator/agent.ts'
import { independentKeys } from '../../src/simulator/key-source.ts'
import { startVirtualDevice } from '../../src/simulator/virtual-device.ts'
import { type Fleet, openServices } from './fleet.ts'

/**
 * Fills an empty database with `devices` recorded devices: one attests to the service for real, and
 * its row is repeated with the ids, keys and boot counter of others, in the order of nothing, as
 * hashes of keys come. Of what policies read, some claims, labels, owners and times differ.
 */
export async function recordPreviewFleet(
  url: string,
  environment: Fleet['environment'],
  devices: number,
): Promise<void> {
  await recordOneDevice(environment)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    // The log that a crash is repaired from would only make the set-up longer, as would an index.
    await client.query('alter table device set unlogged')
    await client.query('alter table device drop constraint device_pkey')
    // Claims are mostly hashes, which compression tries in vain to make smaller.
    await client.query('alter table device alter column claims set storage external')
    await client.query(repeatDevice(devices - 1))
    await client.query('alter table device alter column claims set storage extended')
    await client.query('alter table device add constraint device_pkey primary key (device_id)')
    await client.query('vacuum analyze device')
  } finally {
    await client.end()
  }
}

async function recordOneDevice(environment: Fleet['environment']): Promise<void> {
  const services = await openServices(environment)
  try {
    const app = createApp(httpServices(services))
    const device = await startVirtualDevice({ name: 'bench', keys: independentKeys() })
    const agent = new AttestationAgent({
      device,
      baseUrl: services.config.publicUrl,
      now: services.clock,
      fetch: async (request) => await app.fetch(request),
    })
    const answer = await agent.attest()
    if (!answer.ok || answer.value.verdict !== 'trusted') {
      throw new Error(`the bench device was not trusted: ${JSON.stringify(answer)}`)
    }
  } finally {
    await services.store.close()
  }
}

function repeatDevice(times: number): string {
  return `
    insert into device (device_id, key_kind, device_key_hash, enrolment, owner, labels, ring,
      quarantined_at, quarantined_by, quarantine_reason, attestation_id, attested_at, valid_until,
      issuer, policy_hash, confirmation_key, claims, verdict, reasons, first_failed_at,
      created_at, updated_at)
    select 'dev_' || substr(md5(i::text) || md5('x' || i), 1, 52), key_kind,
      substr(md5(i::text) || md5('k' || i), 1, 43),
      case when i % 500 = 0 then 'pending' else enrolment end,
      case when i % 3 = 0 then 'person' || i % 40000 || '@example.com' end,
      array['site ' || i % 60, 'model ' || i % 25]
        || case when i % 40 = 0 then array['kiosk'] else '{}' end,
      i % 100,
      case when i % 1000 = 1 then now() end, case when i % 1000 = 1 then 'admin' end,
      case when i % 1000 = 1 then 'lost' end,
      attestation_id, now() - i % 28000 * interval '1 second',
      now() + case when i % 50 = 2 then -1 else 24 end * interval '1 hour',
      issuer, policy_hash, confirmation_key,
      claims || jsonb_build_object('aikPubHash', md5(i::text) || md5('k' || i),
        'bootCounter', i % 3000, 'enclaveSvn', 3 + i % 6, 'bootMgrSvn', i % 7,
        'secureBootEnabled', i % 33 <> 0, 'hvciEnabled', i % 70 <> 0, 'iommuEnabled', i % 2 = 0,
        'bitlockerEnabled', i % 5 <> 0, 'flightSigningNotEnabled', i % 90 <> 0,
        'depPolicy', i % 4, 'osRevListInfo', md5('r' || i % 12)),
      verdict, reasons, first_failed_at, created_at, updated_at
    from device cross join generate_series(1, ${times}) as i`
}
