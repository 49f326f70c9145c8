import { z } from 'zod'
import { err, ok, type Result } from '../../../base/result.ts'
import { demandCompiled, findLinted } from '../../../operations/release/check-document.ts'
import { type Released, release } from '../../../operations/release/release.ts'
import { rollBack } from '../../../operations/release/roll-back.ts'
import { documentNeedsSecond } from '../../../operations/release/second-administrator.ts'
import { type ROLLOUT_VERBS, steerRollout } from '../../../operations/release/steer.ts'
import type { DocumentKind } from '../../../rollout/in-force.ts'
import type { HttpContext } from '../../environment.ts'
import type { AdminFailure } from '../../errors/problem-code.ts'
import { readPosted } from '../read-form.ts'
import { secondOfPage } from '../second-administrator.ts'
import type { PageServices } from '../services.ts'
import {
  acceptedCount,
  bodyOfRequest,
  type ReleaseForm,
  requestOf,
  storableReason,
  wayOf,
} from './release-form.ts'

export type Version = { readonly kind: DocumentKind; readonly hash: string }

/** Looks what a version would do to the fleet, and keeps that: a release asks for it. */
export async function previewVersion(
  c: HttpContext,
  services: PageServices,
  { kind, hash }: Version,
): Promise<Result<null, AdminFailure>> {
  const { store, clock, releases } = services
  const linted = await findLinted(store, { kind, hash, now: clock() })
  if (!linted.ok) return linted
  const document = demandCompiled(linted.value)
  if (!document.ok) return document
  const by = c.get('client').clientId
  const { signal } = c.req.raw
  const summary = await releases.preview({ document: document.value, by, signal })
  return summary === undefined ? err({ reason: 'preview_busy' }) : ok(null)
}

/** Releases a version by the same gates as every release, whoever asks for it and wherever. */
export async function releaseVersion(
  c: HttpContext,
  services: PageServices,
  input: Version & { readonly form: ReleaseForm; readonly expected?: string | undefined },
): Promise<Result<Released, AdminFailure>> {
  const { kind, hash, form, expected } = input
  const { store, clock, releases } = services
  const linted = await findLinted(store, { kind, hash, now: clock() })
  if (!linted.ok) return linted
  const compiled = demandCompiled(linted.value)
  if (!compiled.ok) return compiled
  const by = c.get('client').clientId
  const { reason, way, accept_denials: acceptedDenials, despite } = form
  const asked = {
    request: requestOf(kind, way),
    body: bodyOfRequest(compiled.value, form),
    isOfApi: true,
    isSecond: expected !== undefined,
  }
  const released = await release(releases, {
    ...{ document: linted.value, by, reason, acceptedDenials, despite, expected, way: wayOf(way) },
    maxAgeMs: services.previewMaxAgeMs,
    second: secondOfPage(c, services, asked),
    signal: c.req.raw.signal,
  })
  if (released.ok) {
    const rollout_id = released.value.rollout?.rolloutId
    const what = { request_id: c.get('requestId'), kind, hash, by }
    if (rollout_id === undefined) services.log.warn('document_activated', what)
    else services.log.warn('rollout_started', { ...what, rollout_id })
  }
  return released
}

/**
 * Whether somebody may be the second for this release who may release nothing alone: where two are demanded for the
 * document, and somebody else has asked for a release of its kind already. Answers what is in force, by which that was
 * judged: the release has to follow that.
 */
export async function findApprovable(
  c: HttpContext,
  { store, second, clock }: PageServices,
  { kind, hash, form }: Version & { readonly form: Pick<ReleaseForm, 'way'> },
): Promise<string | undefined> {
  const active = await store.activeDocument(kind)
  if (!second.isDemanded || active === null || !documentNeedsSecond(active, hash)) return undefined
  const request = requestOf(kind, form.way)
  const by = c.get('client').clientId
  const waiting = await store.listSecondRequests(clock())
  const isAsked = waiting.some((one) => one.request === request && one.requestedBy !== by)
  return isAsked ? active.hash : undefined
}

const rollBackForm = z.strictObject({
  reason: storableReason,
  accept_denials: acceptedCount,
  /** Of the version that is to go: nothing happens if another is in force. */
  expected: z.string().max(64),
})

/** The way back to the version before, or the end of the rollout that is under way. */
export async function goBack(
  c: HttpContext,
  services: PageServices,
  kind: DocumentKind,
): Promise<Result<null, AdminFailure>> {
  const form = await readPosted(c, rollBackForm)
  if (!form.ok) return form
  const { reason, accept_denials, expected } = form.value
  const by = c.get('client').clientId
  const body = { reason, accept_denials, accept_all_denials: false, expected }
  const returned = await rollBack(services.releases, {
    ...{ kind, by, reason, expected, acceptedDenials: accept_denials },
    maxAgeMs: services.previewMaxAgeMs,
    second: secondOfPage(c, services, {
      request: `POST /v1/${kind}/rollback`,
      body,
      isOfApi: true,
    }),
    signal: c.req.raw.signal,
  })
  if (!returned.ok) return returned
  const { hash } = returned.value
  services.log.warn('rolled_back', { request_id: c.get('requestId'), kind, hash, by })
  return ok(null)
}

const steerForm = z.strictObject({
  reason: storableReason,
  /** Of the rollout as the page showed it. */
  revision: z.coerce.number().int().min(1),
  accept_denials: acceptedCount,
})

/** A step of the rollout, as the API takes it. */
export async function steerOne(
  c: HttpContext,
  services: PageServices,
  verb: (typeof ROLLOUT_VERBS)[number],
): Promise<Result<DocumentKind, AdminFailure>> {
  const form = await readPosted(c, steerForm)
  if (!form.ok) return form
  const { reason, revision, accept_denials } = form.value
  const by = c.get('client').clientId
  const rolloutId = c.req.param('id') ?? ''
  const accepted = verb === 'revert' ? { accept_denials, accept_all_denials: false } : {}
  const request = `POST /v1/rollouts/${rolloutId}/${verb}`
  const steered = await steerRollout(services.releases, {
    ...{ rolloutId, verb, by, reason, revision, maxAgeMs: services.previewMaxAgeMs },
    acceptedDenials: accept_denials,
    second: secondOfPage(c, services, {
      ...{ request, body: { reason, revision, ...accepted }, isOfApi: true },
    }),
    signal: c.req.raw.signal,
  })
  if (!steered.ok) return steered
  const request_id = c.get('requestId')
  services.log.warn('rollout_steered', { request_id, rollout_id: rolloutId, verb, by })
  return ok(steered.value.rollout.kind)
}
