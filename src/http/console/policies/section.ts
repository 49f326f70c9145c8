import { Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { bodyOf, lintDocument, withoutErrors } from '../../../operations/release/check-document.ts'
import { formatDocument } from '../../../operations/release/format-document.ts'
import { inspectDocuments, inspectVersion } from '../../../operations/release/inspect-documents.ts'
import { ROLLOUT_VERBS } from '../../../operations/release/steer.ts'
import type { DocumentKind } from '../../../rollout/in-force.ts'
import type { HttpContext, HttpEnv } from '../../environment.ts'
import type { AdminFailure } from '../../errors/problem-code.ts'
import type { Notice, Page } from '../layout.ts'
import { link } from '../parts.ts'
import { readPosted } from '../read-form.ts'
import type { ConsoleSection, PageServices } from '../services.ts'
import { tellFailure } from '../tell-failure.ts'
import { findApprovable, goBack, previewVersion, releaseVersion, steerOne } from './actions.ts'
import { readDocumentForm } from './document-form.ts'
import { editorPage } from './editor.ts'
import { kindPage } from './kind-page.ts'
import { noticeOf, unknownVersionPage, waitsNotice } from './notices.ts'
import { kindPath, POLICIES_PATH, versionPath } from './paths.ts'
import { type Asked, askedOf, releaseForm } from './release-form.ts'
import { versionPage } from './version-page.ts'

const KINDS = ['policy', 'reference-values'] as const satisfies readonly DocumentKind[]

/** The documents that decide: versions, what they would do, and their way into force. */
export const policiesSection: ConsoleSection = {
  name: 'policies',
  title: 'Policies',
  routes(services) {
    const app = new Hono<HttpEnv>()
    app.get(POLICIES_PATH, (c) => services.lead(c, kindPath('policy')))
    for (const kind of KINDS) addKind(app, services, kind)
    for (const verb of ROLLOUT_VERBS) {
      app.post(`${POLICIES_PATH}/rollouts/:id/${verb}`, async (c) => {
        const steered = await steerOne(c, services, verb)
        if (steered.ok) return services.lead(c, `${kindPath(steered.value)}?done=${verb}`)
        const open = await kindOfRollout(services, c.req.param('id'))
        return answerKind(c, services, open, await tellFailure(c, steered.failure))
      })
    }
    return app
  },
}

function addKind(app: Hono<HttpEnv>, services: PageServices, kind: DocumentKind): void {
  const path = kindPath(kind)
  app.get(path, (c) => answerKind(c, services, kind, noticeOf(c)))
  app.get(`${path}/edit`, (c) => answerEditor(c, services, kind))
  app.post(`${path}/edit`, (c) => edit(c, services, kind))
  app.post(`${path}/rollback`, async (c) => {
    const returned = await goBack(c, services, kind)
    if (returned.ok) return services.lead(c, `${path}?done=rollback`)
    return answerKind(c, services, kind, await tellFailure(c, returned.failure))
  })
  app.get(`${path}/versions/:hash`, (c) => answerVersion(c, services, kind, noticeOf(c)))
  app.post(`${path}/versions/:hash/preview`, async (c) => {
    const version = { kind, hash: hashOf(c) }
    const done = await previewVersion(c, services, version)
    if (done.ok) return services.lead(c, `${versionPath(kind, version.hash)}?done=preview`)
    return answerVersion(c, services, kind, await tellFailure(c, done.failure))
  })
  app.post(`${path}/versions/:hash/release`, (c) =>
    releaseOne(c, services, { kind, isSecond: false }),
  )
  app.post(`${path}/versions/:hash/approve`, (c) =>
    releaseOne(c, services, { kind, isSecond: true }),
  )
}

type Told = {
  readonly status?: ContentfulStatusCode | undefined
  readonly notice?: Notice | undefined
}

function withTold(page: Page, { status, notice }: Told): Page {
  return {
    ...page,
    ...(status !== undefined && { status }),
    ...(notice !== undefined && { notice }),
  }
}

async function answerKind(
  c: HttpContext,
  services: PageServices,
  kind: DocumentKind,
  told: Told = {},
): Promise<Response> {
  const documents = await inspectDocuments(services, kind)
  return services.show(c, withTold(kindPage(kind, documents, services.viewerOf(c)), told))
}

async function kindOfRollout(
  { store }: PageServices,
  rolloutId: string | undefined,
): Promise<DocumentKind> {
  return (await store.rollout(rolloutId ?? ''))?.kind ?? 'policy'
}

function hashOf(c: HttpContext): string {
  const hash = c.req.param('hash') ?? ''
  // Nothing else can be the hash of a document: the store is not asked for it.
  return /^[0-9a-f]{64}$/.test(hash) ? hash : ''
}

async function answerVersion(
  c: HttpContext,
  services: PageServices,
  kind: DocumentKind,
  told: Told = {},
  asked: Asked = askedOf(c),
): Promise<Response> {
  const hash = hashOf(c)
  const inspected = hash === '' ? undefined : await inspectVersion(services, { kind, hash })
  if (inspected === undefined) return services.show(c, unknownVersionPage(kind))
  return services.show(c, withTold(versionPage(inspected, asked, services.viewerOf(c)), told))
}

async function releaseOne(
  c: HttpContext,
  services: PageServices,
  { kind, isSecond }: { readonly kind: DocumentKind; readonly isSecond: boolean },
): Promise<Response> {
  const form = await readPosted(c, releaseForm)
  if (!form.ok) return answerVersion(c, services, kind, await tellFailure(c, form.failure))
  const version = { kind, hash: hashOf(c), form: form.value }
  const { way, accept_denials: accept, despite = '' } = form.value
  const asked = { way, accept, despite }
  const expected = isSecond ? await findApprovable(c, services, version) : undefined
  if (isSecond && expected === undefined) {
    return answerVersion(c, services, kind, NOT_ASKED, asked)
  }
  const released = await releaseVersion(c, services, { ...version, expected })
  if (released.ok) {
    const done = released.value.rollout === undefined ? 'activated' : 'rollout'
    return services.lead(c, `${kindPath(kind)}?done=${done}`)
  }
  const told = await tellRelease(c, services, { ...version, asked, failure: released.failure })
  return answerVersion(c, services, kind, told, asked)
}

const NOT_ASKED: Told = {
  status: 409,
  notice: {
    kind: 'alarm',
    text: 'Nobody else has asked for such a release, or it takes no second administrator.',
  },
}

async function tellRelease(
  c: HttpContext,
  { publicUrl }: PageServices,
  input: {
    readonly kind: DocumentKind
    readonly hash: string
    readonly asked: Asked
    readonly failure: AdminFailure
  },
): Promise<Told> {
  const { kind, hash, asked, failure } = input
  const told = await tellFailure(c, failure)
  if (failure.reason !== 'second_awaited') return told
  const { way, accept, despite } = asked
  const query = { way, accept: accept === 0 ? undefined : String(accept), despite }
  const url = `${publicUrl}${link(versionPath(kind, hash), query)}`
  return { status: told.status, notice: waitsNotice(url, failure.expiresAt) }
}

async function answerEditor(
  c: HttpContext,
  services: PageServices,
  kind: DocumentKind,
): Promise<Response> {
  const { store } = services
  const from = c.req.query('from') ?? ''
  const stored = /^[0-9a-f]{64}$/.test(from) ? await store.document(kind, from) : null
  const document = stored ?? (await store.activeDocument(kind))
  if (document === null) throw new Error(`no ${kind} is active`)
  const text = formatDocument(kind, document.body)
  return services.show(c, editorPage({ kind, text, reason: '', findings: undefined }))
}

/** Looks a document through, and keeps it as a version where that is asked for and lint has nothing against it. */
async function edit(c: HttpContext, services: PageServices, kind: DocumentKind): Promise<Response> {
  const form = await readDocumentForm(c)
  if (!form.ok) {
    const page = editorPage({ kind, text: '', reason: '', findings: undefined })
    return services.show(c, withTold(page, await tellFailure(c, form.failure)))
  }
  const { document: text, reason, do: what } = form.value
  const now = services.clock()
  const linted = lintDocument(kind, text, now)
  const page = editorPage({ kind, text, reason, findings: linted.findings })
  if (what === 'check') return services.show(c, page)
  const checked = withoutErrors(linted)
  if (!checked.ok) return services.show(c, withTold(page, await tellFailure(c, checked.failure)))
  if (reason === '') return services.show(c, withTold(page, NO_REASON))
  const { hash } = checked.value.compiled
  const author = c.get('client').clientId
  const kept = { kind, hash, body: bodyOf(checked.value), author, reason, now }
  await services.store.proposeDocument(kept)
  return services.lead(c, `${versionPath(kind, hash)}?done=keep`)
}

const NO_REASON: Told = {
  status: 400,
  notice: { kind: 'alarm', text: 'Say why it is kept: the reason stands beside the version.' },
}
