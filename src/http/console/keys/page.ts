import { html } from 'hono/html'
import { type KeyState, keyState } from '../../../keys/key-times.ts'
import type { SigningKeyUse } from '../../../store/schema/system-schema.ts'
import type { StoredSigningKey } from '../../../store/system/stored-signing-keys.ts'
import { actForm } from '../fields.ts'
import type { Page, Viewer } from '../layout.ts'
import { agoTag, type Content, panel, table, timeTag } from '../parts.ts'
import { acceptedText, keyTimeline } from './timeline.ts'

export const KEYS_PATH = '/console/keys'

/** By purpose; one that is not here goes by its own name. */
const TITLES: Readonly<Record<string, string>> = {
  attestation: 'Attestation tokens',
  'device-token': 'Device tokens',
  receipt: 'Receipts of decisions',
  enrolment: 'Certificates of attestation keys',
  'security-event': 'Security events',
  'access-token': 'Access tokens',
  'sign-in': 'Sign-ins',
  'external-evaluation': 'Answers to Cloudflare Access',
  'audit-log': 'Checkpoints of the audit log',
}

const TONES: Readonly<Record<KeyState, string>> = {
  published: 'stale',
  signing: 'trusted',
  accepted: 'unknown',
  ended: 'quarantined',
}

/** The keys that the service signs with, of each purpose as they follow each other. */
export function keysPage(input: {
  readonly keys: readonly StoredSigningKey[]
  readonly viewer: Viewer
  readonly now: Date
}): Page {
  const { keys, viewer, now } = input
  const uses = [...new Set(keys.map(({ use }) => use))]
  const panels = uses.map((use) => {
    const own = keys.filter((key) => key.use === use)
    return usePanel(use, own, { now, mayRotate: viewer.may('admin.write') })
  })
  const intro =
    uses.length === 0
      ? html`<p>There are no keys yet: the service makes them when it needs them.</p>`
      : html`<p>Keys follow each other by themselves. One is published half an hour before it signs; what it signed is accepted until all of that has ended. In the pictures: published light, signing full, accepted pale; the line is now.</p>`
  return { title: 'Signing keys', section: 'keys', body: html`${intro}${panels}` }
}

function usePanel(
  use: SigningKeyUse,
  keys: readonly StoredSigningKey[],
  { now, mayRotate }: { readonly now: Date; readonly mayRotate: boolean },
): Content {
  const title = TITLES[use] ?? use
  const list = table({
    caption: `Keys for ${title}`,
    columns: [
      ...[{ title: 'Key' }, { title: 'State' }, { title: 'Algorithm' }],
      ...[{ title: 'Signs from' }, { title: 'Signs until' }, { title: 'Accepted until' }],
    ],
    rows: keys.map((key) => [
      html`<code>${key.kid}</code>`,
      stateTag(key, now),
      key.algorithm,
      timeTag(key.signsFrom),
      key.signsUntil === null
        ? 'a successor begins'
        : html`${timeTag(key.signsUntil)} (${agoTag(key.signsUntil, now)})`,
      acceptedText(key),
    ]),
  })
  const rotate = actForm({
    title: `Rotate: ${title}`,
    hint: 'Publishes a successor now. It signs in half an hour, when whoever verifies offline has it; what the key before signed stays accepted until it has ended.',
    action: `${KEYS_PATH}/${use}/rotate`,
    fields: html``,
  })
  const picture = keyTimeline(`keys-${use}-chart`, `Keys over time: ${title}`, keys, now)
  return panel(`keys-${use}`, title, html`${picture}${list}${mayRotate ? rotate : ''}`)
}

function stateTag(key: StoredSigningKey, now: Date): Content {
  const state = keyState(key, now)
  const text = key.retiredAt === null ? state : 'retired'
  return html`<span class="v ${TONES[state]}">${text}</span>`
}
