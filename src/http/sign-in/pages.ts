import { html } from 'hono/html'
import type { Decision } from '../../access/decide.ts'
import type { SignInFailure } from '../../operations/sign-in/find-sign-in.ts'
import { PROVIDER_PATH } from '../../vendors/oidc/discovery.ts'
import type { AnswerToBring } from '../../vendors/oidc/id-token.ts'
import { SIGN_IN_SECONDS } from '../../vendors/oidc/limits.ts'
import type { HttpContext } from '../environment.ts'
import { SIGN_IN_PROBLEMS } from '../errors/sign-in-answers.ts'
import { answerPage, type Content, textsFor } from './page.ts'
import type { PageTexts } from './texts.ts'
import { SEND_SCRIPT, WAIT_SCRIPT } from './wait-script.ts'

/** What the link to the agent begins with; the agent registers it with the system. */
export const AGENT_SCHEME = 'countersign'

/** Where a sign-in is, on our host. */
export type SignInPaths = {
  readonly signInId: string
  /** The page that waits; what is done with the sign-in is below it. */
  readonly page: string
  readonly leave: string
}

/** Our URL may have a path of its own, which a proxy takes away before it asks us. */
export function pathsOf(publicUrl: string, signInId: string): SignInPaths {
  const { pathname } = new URL(publicUrl)
  const page = `${pathname.replace(/\/$/, '')}${PROVIDER_PATH}/${encodeURIComponent(signInId)}`
  return { signInId, page, leave: `${page}/leave` }
}

/** The link by which a browser asks the agent: the agent knows by itself whose sign-ins it proves. */
export function agentLink(signInId: string): string {
  return `${AGENT_SCHEME}:sign-in/${signInId}`
}

/** The page that asks the agent and waits; without scripts its link and buttons do the same. */
export function answerWaitPage(
  c: HttpContext,
  { paths, agentUrl }: { readonly paths: SignInPaths; readonly agentUrl: string },
): Response {
  const texts = textsFor(c)
  const steps = texts.missingSteps.map((text) => html`<li>${text}</li>`)
  const body = html`
<div id="sign-in" data-sign-in="${paths.signInId}" data-agent="${agentUrl}" data-here="${paths.page}"
  data-seconds="${SIGN_IN_SECONDS}">
<div role="status" aria-live="polite">
<div data-step="asking" hidden><p>${texts.asking}</p><p>${texts.askingHint}</p></div>
<div data-step="failed" hidden><p>${texts.agentFailed}</p></div>
<div data-step="missing"><p>${texts.missing}</p><ol>${steps}</ol></div>
<div data-step="elsewhere" hidden><p>${texts.elsewhere}</p></div>
<div data-step="ended" hidden><p>${texts.ended}</p></div>
<div data-step="late" hidden><p>${texts.tooLate}</p></div>
</div>
<div data-step="missing elsewhere">
<p><a class="button main" href="${agentLink(paths.signInId)}">${texts.openAgent}</a></p>
<p>${texts.openHint}</p>
</div>
<div data-step="missing failed elsewhere">
<p><button type="button" data-again hidden data-step="missing failed elsewhere">${texts.tryAgain}</button></p>
</div>
<div data-step="asking missing failed elsewhere late">${leaveForm(texts, paths)}</div>
</div>`
  return answerPage(c, { body, script: WAIT_SCRIPT, connect: new URL(agentUrl).origin })
}

/** The page that goes back to the identity provider, by itself or by its button. */
export function answerSendPage(c: HttpContext, answer: AnswerToBring, isGranted = false): Response {
  const texts = textsFor(c)
  const said = html`<p>${isGranted ? texts.granted : texts.goBackHint}</p>`
  if (answer.kind === 'link') {
    const link = html`<a id="answer" class="button main" href="${answer.url}">${texts.proceed}</a>`
    return answerPage(c, { body: html`${said}<p>${link}</p>`, script: SEND_SCRIPT })
  }
  const inputs = Object.entries(answer.fields).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  )
  const body = html`${said}
<form id="answer" method="post" action="${answer.action}">${inputs}
<button class="main" type="submit">${texts.proceed}</button></form>`
  return answerPage(c, { body, script: SEND_SCRIPT, leaves: true })
}

/** Why the device is denied, and how to repair it: then the person tries again, or goes back. */
export function answerDeniedPage(
  c: HttpContext,
  input: { readonly paths: SignInPaths; readonly ticket: string; readonly decision: Decision },
) {
  const { paths, ticket, decision } = input
  const texts = textsFor(c)
  const reasons = decision.context.reasons.map(
    ({ title, repair }) => html`<section><h2>${title}</h2><p>${repair}</p></section>`,
  )
  const body = html`${reasons}
<p><a class="button main" href="${paths.page}">${texts.tryAgain}</a></p>
${leaveForm(texts, paths, ticket)}`
  return answerPage(c, { heading: texts.denied, body })
}

/** Why a sign-in does not go on here, and what to do; one that is over leads back to who asked. */
export function answerStoppedPage(
  c: HttpContext,
  { paths, failure }: { readonly paths: SignInPaths; readonly failure: SignInFailure },
) {
  const texts = textsFor(c)
  const { reason } = failure
  const said: Readonly<Record<SignInFailure['reason'], string>> = {
    sign_in_unknown: texts.unknown,
    sign_in_of_another_browser: texts.otherBrowser,
    sign_in_expired: texts.tooLate,
    sign_in_ended: texts.ended,
    sign_in_ticket_refused: texts.ticketRefused,
  }
  const next: Partial<Record<SignInFailure['reason'], Content>> = {
    sign_in_expired: leaveForm(texts, paths),
    sign_in_ticket_refused: html`<p><a class="button main" href="${paths.page}">${texts.tryAgain}</a></p>
${leaveForm(texts, paths)}`,
  }
  const body = next[reason] ?? html`<p>${texts.startOver}</p>`
  return answerPage(c, { status: SIGN_IN_PROBLEMS[reason].status, heading: said[reason], body })
}

/** A request that nobody may be answered for: what it says of where to answer is not registered. */
export function answerRefusedPage(c: HttpContext, reason: string) {
  const texts = textsFor(c)
  const body = html`<p>${texts.refusedHint}</p><p>${texts.startOver}</p><p><code>${reason}</code></p>`
  return answerPage(c, { status: 400, heading: texts.refused, body })
}

function leaveForm(texts: PageTexts, { leave }: SignInPaths, ticket?: string): Content {
  const kept =
    ticket === undefined ? '' : html`<input type="hidden" name="ticket" value="${ticket}">`
  return html`<form method="post" action="${leave}">${kept}
<button type="submit">${texts.goBack}</button>
<p>${texts.goBackHint}</p></form>`
}
