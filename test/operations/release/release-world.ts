import { expect } from 'vitest'
import { createRandomSource } from '../../../src/base/random.ts'
import { ensureDocuments } from '../../../src/compose/first-documents.ts'
import { runControl } from '../../../src/compose/jobs.ts'
import { commandReleases } from '../../../src/compose/release.ts'
import {
  findLinted,
  type LintedDocument,
  lintDocument,
} from '../../../src/operations/release/check-document.ts'
import { type ReleaseWay, release } from '../../../src/operations/release/release.ts'
import { rollBack } from '../../../src/operations/release/roll-back.ts'
import { NO_SECOND } from '../../../src/operations/release/second-administrator.ts'
import { type ROLLOUT_VERBS, steerRollout } from '../../../src/operations/release/steer.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import type { DocumentKind } from '../../../src/rollout/in-force.ts'
import type { Store } from '../../../src/store/store.ts'
import { documentOf } from '../../policy/healthy-device.ts'
import type { Json } from '../../support/json.ts'
import { FLEET_VALUES, recordFleet } from '../../support/recorded-fleet.ts'
import { createTestService, START, testClock } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'
import { policyWith } from './documents.ts'

const DEVICES = 3
const PLAN = { stages: [{ percent: 100 }], bake_seconds: 0, minimum_sample: 0 }
/** Of a rollout that denies: it may, and then halts over the first device. */
const NO_BUDGET = { devices: 0, share: 0 }
const PIN = { issuer: 'https://contoso.weu.attest.azure.net', hash: 'A'.repeat(43) }

/** What may come into force: some deny every device, and of some lint finds errors. */
export const DOCUMENTS: Readonly<Record<DocumentKind, readonly Json[]>> = {
  policy: [
    BASELINE_POLICY,
    policyWith('attestation.enclaveSvn >= 1').body,
    policyWith('attestation.enclaveSvn >= 2').body,
    policyWith('attestation.enclaveSvn > 1000').body,
    documentOf('attestation.vbsEnabled', 'false'),
  ],
  'reference-values': [
    FLEET_VALUES,
    { ...FLEET_VALUES, name: 'renamed' },
    { name: 'none', enclaves: [] },
    { ...FLEET_VALUES, azure_policies: [{ ...PIN, valid_until: '2020-01-01T00:00:00Z' }] },
  ],
}

/** One thing that somebody does, or that the service does by itself. */
export type Act =
  | { readonly act: 'preview'; readonly kind: DocumentKind; readonly at: number }
  | {
      readonly act: 'release'
      readonly by: 'first' | 'second' | 'command'
      readonly kind: DocumentKind
      readonly at: number
      readonly way: ReleaseWay['kind']
      readonly accept: number
      /** Names the last rollout of the document that halted, if one did. */
      readonly despite: boolean
    }
  | {
      readonly act: 'roll_back'
      readonly by: 'first' | 'second' | 'command'
      readonly kind: DocumentKind
    }
  | {
      readonly act: 'steer'
      readonly by: 'first' | 'second' | 'command'
      readonly verb: (typeof ROLLOUT_VERBS)[number]
      readonly back: number
    }
  | { readonly act: 'activate_kept'; readonly kind: DocumentKind; readonly at: number }
  | { readonly act: 'pin'; readonly at: number }
  | { readonly act: 'control' }
  | { readonly act: 'first_start' }
  | { readonly act: 'time'; readonly seconds: number }

/** How a move of the pointer came about, as the database itself saw it when it happened. */
type Move = {
  readonly kind: DocumentKind
  readonly hash: string
  readonly before: string | null
  readonly how: 'first' | 'previewed' | 'rollout' | 'unseen'
  readonly lost: number
  readonly is_unnamed: boolean
  readonly is_return: boolean
}

/**
 * Writes down each move of the pointer, and each beginning of a rollout, in the transaction that
 * makes it: whether a preview is on record of this very document against the very two documents that
 * are in force then, and whether the last halted rollout of it is named. PostgreSQL is the witness: nothing here asks the code that moves the pointer.
 */
const WITNESS = `
  create table moved (seq bigserial, kind text, hash text, before text, how text, lost integer,
    by text, is_return boolean, is_unnamed boolean);
  create table begun (rollout_id text primary key, is_previewed boolean, lost integer, by text,
    is_return boolean, is_unnamed boolean);
  create function is_unnamed(p_kind text, p_hash text) returns boolean language sql as $$
    select coalesce((select despite is null from rollout where state = 'halted' and kind = p_kind
      and to_hash = p_hash order by updated_at desc, rollout_id desc limit 1), false)
  $$;
  create table ended (rollout_id text, note text, lost integer);
  create function lost_by(summary jsonb) returns integer language sql as $$
    select (summary -> 'newly_denied' ->> 'devices')::integer
      + (summary -> 'newly_refused' ->> 'devices')::integer
      + (summary -> 'questions' -> 'newly_denied' ->> 'devices')::integer
      + (summary -> 'denied_later' ->> 'devices')::integer
      + (summary -> 'questions' -> 'denied_later' ->> 'devices')::integer
  $$;
  create function lost_of(p_kind text, p_hash text, p_own text, p_beside text) returns integer
  language sql as $$
    select lost_by(summary) from preview where kind = p_kind and hash = p_hash
      and (summary -> 'ends_rollout') is null
      and policy_hash = case when p_kind = 'policy' then p_own else p_beside end
      and reference_values_hash = case when p_kind = 'policy' then p_beside else p_own end
  $$;
  create function note_move() returns trigger language plpgsql as $$
  declare
    v_before text := case when tg_op = 'UPDATE' then old.hash end;
    v_beside text;
    v_lost integer;
    v_how text := 'unseen';
  begin
    select hash into v_beside from active_document where kind <> new.kind;
    v_lost := lost_of(new.kind, new.hash, v_before, v_beside);
    if v_before is null then v_how := 'first';
    elsif v_lost is not null then v_how := 'previewed';
    elsif exists (select from rollout where state in ('running', 'paused') and kind = new.kind
        and from_hash = v_before and to_hash = new.hash and beside_hash = v_beside) then
      v_how := 'rollout';
    end if;
    insert into moved (kind, hash, before, how, lost, by, is_return, is_unnamed)
    values (new.kind, new.hash, v_before, v_how, coalesce(v_lost, 0), new.activated_by,
      tg_op = 'UPDATE' and new.previous is null, is_unnamed(new.kind, new.hash));
    return new;
  end $$;
  create function note_begun() returns trigger language plpgsql as $$
  declare
    v_own text;
    v_beside text;
    v_previous text;
    v_lost integer;
  begin
    select hash, previous into v_own, v_previous from active_document where kind = new.kind;
    select hash into v_beside from active_document where kind <> new.kind;
    v_lost := lost_of(new.kind, new.to_hash, v_own, v_beside);
    insert into begun values (new.rollout_id, v_lost is not null, coalesce(v_lost, 0), new.author,
      coalesce(v_previous = new.to_hash, false), is_unnamed(new.kind, new.to_hash));
    return new;
  end $$;
  create function note_end() returns trigger language plpgsql as $$
  declare
    v_beside text;
  begin
    select hash into v_beside from active_document where kind <> new.kind;
    insert into ended values (new.rollout_id, new.note, (
      select lost_by(summary) from preview
      where kind = new.kind and hash = new.from_hash
        and summary -> 'ends_rollout' ->> 'rollout_id' = new.rollout_id
        and (summary -> 'ends_rollout' ->> 'stage')::integer = new.stage
        and policy_hash = case when kind = 'policy' then new.to_hash else v_beside end
        and reference_values_hash = case when kind = 'policy' then v_beside else new.to_hash end));
    return new;
  end $$;
  create trigger note_end after update on rollout for each row
    when (old.pass = 'enforce' and old.state in ('running', 'paused') and new.state = 'reverted')
    execute function note_end();
  create trigger note_move after insert or update on active_document
    for each row execute function note_move();
  create trigger note_begun after insert on rollout for each row execute function note_begun();`

/** All that a run leaves behind. */
const STEERING = ['rollout', 'preview', 'document', 'override', 'audit', 'moved', 'begun', 'ended']

export type ReleaseWorld = {
  readonly query: (text: string) => Promise<readonly Record<string, unknown>[]>
  /** As if nobody had ever done anything, but for the devices. */
  readonly reset: () => Promise<void>
  readonly perform: (act: Act) => Promise<void>
  /** Fails where the pointer moved and not every gate was passed. */
  readonly expectGated: () => Promise<void>
  readonly close: () => Promise<void>
}

/** A real service, its jobs and the command line over one real store; `wrap` stands between. */
export async function openReleaseWorld(
  options: {
    readonly wrap?: (store: Store) => Store
    /** What lint says to the command line. */
    readonly relint?: (linted: LintedDocument) => LintedDocument
    /** Devices that are replayed within a request. */
    readonly replaysAtMost?: number
    readonly demandsSecond?: boolean
  } = {},
): Promise<ReleaseWorld> {
  const { wrap = (store) => store, relint = (linted) => linted } = options
  const { replaysAtMost = 5000, demandsSecond = false } = options
  const database = await openTestDatabase()
  const { query } = database
  const clock = testClock(START)
  const service = await createTestService({
    database,
    clock,
    wrap,
    env: demandsSecond ? { SECOND_ADMINISTRATOR: 'required' } : {},
    alterAdmin: (admin) => ({ ...admin, releases: { ...admin.releases, replaysAtMost } }),
  })
  await recordFleet(database.store, { devices: DEVICES, now: START })
  for (const statement of WITNESS.split(/;\n(?= {2}create)/)) await query(statement)
  const admins = {
    first: await service.as('admin.write'),
    second: await service.as('admin.write', 'admin.read'),
  }
  const store = wrap(database.store)
  const random = createRandomSource()
  const commands = () =>
    commandReleases({ store, clock: clock.now, random, requiresHardware: false }).releases
  const accepted = new Map<string, number>()
  const fail = (error: unknown) => {
    if (!(error instanceof Error)) throw error
  }

  async function releaseByRequest(act: Extract<Act, { act: 'release' }>): Promise<void> {
    if (act.by === 'command') return
    const headers = admins[act.by]
    const document = DOCUMENTS[act.kind][act.at]
    const despite = await despiteOf(act)
    const common = { reason: 'x', document, accept_denials: act.accept, despite }
    const plan = act.accept > 0 ? { ...PLAN, budget: NO_BUDGET } : PLAN
    const answer =
      act.way === 'rollout'
        ? await service.post('/v1/rollouts', { ...common, kind: act.kind, plan }, { headers })
        : await service.post(
            `/v1/${act.kind}`,
            { ...common, at_once: act.way === 'at_once' },
            { headers, method: 'PUT' },
          )
    // 429: a process previews for one at a time.
    expect([200, 201, 202, 409, 422, 429]).toContain(answer.status)
  }

  async function releaseByCommandLine(act: Extract<Act, { act: 'release' }>): Promise<void> {
    const text = JSON.stringify(DOCUMENTS[act.kind][act.at])
    const plan = {
      ...{ stages: [{ percent: 100, labels: [] }], bakeSeconds: 0, minimumSample: 0 },
      ...(act.accept > 0 && { budget: NO_BUDGET }),
    }
    await release(commands(), {
      document: relint(lintDocument(act.kind, text, clock.now())),
      way: act.way === 'rollout' ? { kind: 'rollout', plan } : { kind: act.way },
      ...{ by: 'command line', reason: 'x', acceptedDenials: act.accept, maxAgeMs: 3_600_000 },
      second: NO_SECOND,
      despite: await despiteOf(act),
    })
  }

  async function despiteOf({ kind, at, despite }: Extract<Act, { act: 'release' }>) {
    const text = JSON.stringify(DOCUMENTS[kind][at])
    const hash = lintDocument(kind, text, clock.now()).checked?.compiled.hash
    if (!despite || hash === undefined) return undefined
    return (await database.store.haltedRollouts(kind, hash))[0]?.rolloutId
  }

  async function goBack({ by, kind }: Extract<Act, { act: 'roll_back' }>): Promise<void> {
    if (by === 'command') {
      const names = { by: 'command line', reason: 'x', second: NO_SECOND }
      await rollBack(commands(), { ...names, kind, acceptedDenials: 0, maxAgeMs: 3_600_000 })
      return
    }
    const path = `/v1/${kind}/rollback`
    const answer = await service.post(path, { reason: 'x' }, { headers: admins[by] })
    // Never 202: the way back takes one administrator.
    expect([200, 409, 422, 429]).toContain(answer.status)
  }

  async function activateKept({ kind, at }: Extract<Act, { act: 'activate_kept' }>) {
    const kept = await database.store.listDocuments(kind, 20)
    const hash = kept[at % Math.max(1, kept.length)]?.hash ?? ''
    const document = await findLinted(store, { kind, hash, now: clock.now() })
    if (!document.ok) return
    await release(commands(), {
      ...{ document: document.value, way: { kind: 'at_once' }, by: 'command line', reason: 'x' },
      ...{ acceptedDenials: 0, maxAgeMs: 3_600_000, second: NO_SECOND },
    })
  }

  async function steer({ by, verb, back }: Extract<Act, { act: 'steer' }>): Promise<void> {
    const rollouts = await database.store.listRollouts(5)
    const rolloutId = rollouts[back % Math.max(1, rollouts.length)]?.rolloutId
    if (rolloutId === undefined) return
    if (by === 'command') {
      const names = { by: 'command line', reason: 'x', second: NO_SECOND }
      const losses = { acceptedDenials: 0, maxAgeMs: 3_600_000 }
      await steerRollout(commands(), { ...names, ...losses, rolloutId, verb })
      return
    }
    const path = `/v1/rollouts/${rolloutId}/${verb}`
    const answer = await service.post(path, { reason: 'x' }, { headers: admins[by] })
    expect([200, 202, 409]).toContain(answer.status)
  }

  async function pin(at: number): Promise<void> {
    const [kept] = await database.store.listDocuments('policy', 20)
    const expires_at = new Date(clock.now().getTime() + 3_600_000).toISOString()
    const target = { kind: 'label', name: `label-${at}` }
    const body = { action: 'pin', hash: kept?.hash, target, reason: 'x', expires_at }
    await service.post('/v1/overrides', body, { headers: admins.first })
  }

  return {
    query,
    async reset() {
      await query('delete from active_document')
      for (const table of STEERING) {
        await query(`delete from ${table}`)
      }
      await query('update control set revision = revision + 1')
      clock.set(START)
      accepted.clear()
      await ensureDocuments(store, clock.now(), FLEET_VALUES)
    },
    async perform(act) {
      switch (act.act) {
        case 'preview': {
          const body = { kind: act.kind, document: DOCUMENTS[act.kind][act.at] }
          await service.post('/v1/previews', body, { headers: admins.first })
          return
        }
        case 'release': {
          const body = DOCUMENTS[act.kind][act.at]
          const { checked } = lintDocument(act.kind, JSON.stringify(body), clock.now())
          const hash = checked?.compiled.hash ?? ''
          accepted.set(hash, Math.max(accepted.get(hash) ?? 0, act.accept))
          return act.by === 'command' ? releaseByCommandLine(act) : releaseByRequest(act)
        }
        case 'steer':
          return steer(act)
        case 'roll_back':
          return goBack(act)
        case 'activate_kept':
          return activateKept(act)
        case 'pin':
          return pin(act.at)
        case 'control':
          return runControl(service.services).catch(fail)
        case 'first_start':
          return ensureDocuments(store, clock.now(), FLEET_VALUES)
        case 'time':
          return clock.advance(act.seconds)
      }
    },
    async expectGated() {
      const moves = (await query('select * from moved order by seq')) as readonly Move[]
      expect(moves.filter(({ how }) => how === 'unseen')).toEqual([])
      // What has halted comes again for nobody who does not say so, or as a return that denies nobody.
      expect(moves.filter((one) => one.is_unnamed && !one.is_return)).toEqual([])
      const begun = await query(
        'select * from begun where not is_previewed or (is_unnamed and not is_return)',
      )
      expect(begun).toEqual([])
      // Nobody here accepts anything of a way back: a rollout that decides ends where a count finds nobody.
      expect(await query('select * from ended where lost is distinct from 0')).toEqual([])
      // What came into force for the second time was in force before: only one start is the first.
      expect(moves.filter(({ how }) => how === 'first').length).toBeLessThanOrEqual(2)
      for (const { kind, hash, how, lost } of moves) {
        const body = (await database.store.document(kind, hash))?.body
        const { findings } = lintDocument(kind, JSON.stringify(body), START)
        expect(findings.filter(({ severity }) => severity === 'error')).toEqual([])
        if (how === 'previewed') expect(lost).toBeLessThanOrEqual(accepted.get(hash) ?? 0)
      }
      for (const { rollout_id: id, lost } of await query('select * from begun')) {
        const to = (await database.store.rollout(String(id)))?.to ?? ''
        expect(lost).toBeLessThanOrEqual(accepted.get(to) ?? 0)
      }
      if (demandsSecond) await expectSeconded()
    },
    close: database.close,
  }

  /** Each release by a client, but a return to the version before, took two of them. */
  async function expectSeconded(): Promise<void> {
    const one = `by like 'cli_%' and not is_return`
    const moves = await query(`select 1 from moved where ${one} and how = 'previewed'`)
    const begun = await query(`select 1 from begun where ${one}`)
    const seconded = await query(`select 1 from audit where action = 'request.seconded'`)
    expect(moves.length + begun.length).toBeLessThanOrEqual(seconded.length)
  }
}
