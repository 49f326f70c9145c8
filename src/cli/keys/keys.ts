import { COMMAND } from '../../base/command.ts'
import { KEY_SET_LIFETIME_SECONDS, keyState } from '../../keys/key-times.ts'
import { retireKey } from '../../operations/keys/retire-key.ts'
import { rotateKey } from '../../operations/keys/rotate-key.ts'
import { SIGNING_KEY_USES, type SigningKeyUse } from '../../store/schema/system-schema.ts'
import type { Store } from '../../store/store.ts'
import type { StoredSigningKey } from '../../store/system/stored-signing-keys.ts'
import { EXIT, group, verb } from '../framework/command.ts'
import { type Confirm, confirmer } from '../framework/confirm.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { oneOf, REASON, required, text, YES } from '../framework/options.ts'
import { printJson, printText } from '../framework/output.ts'
import { renderTable } from '../framework/table.ts'
import { openKeyMaking } from './key-making.ts'

const PURPOSE = `the purpose: ${SIGNING_KEY_USES.join(', ')}`

export const command = group({
  about: `The keys that the service signs with, of each purpose one at a time. They are rotated by
themselves (SIGNING_KEY_DAYS). Running services follow within seconds. See docs/keys.md.`,
  verbs: {
    list: verb({
      summary: 'list the keys, what each does now and until when',
      database: 'existing',
      json: 'the keys with their times and public halves',
      run:
        ({ json }) =>
        (store) =>
          list(store, json),
    }),
    rotate: verb({
      summary: 'publish a successor of the key that signs',
      about: `It signs half an hour later, when whoever verifies offline has it. What the old key signed stays
accepted until it has ended. Needs the SECRET_KEY of the service.`,
      database: 'existing',
      arguments: { purpose: oneOf('PURPOSE', `${PURPOSE}; all without it`, SIGNING_KEY_USES) },
      json: 'by purpose the key that was published, or the reason why none was',
      exits: { refused: 'a key could not be rotated now' },
      run: ({ purpose, json }) => {
        return async (store, config) => {
          const making = await openKeyMaking(store, config)
          return rotate(making, purpose === undefined ? await usesOf(store) : [purpose], json)
        }
      },
    }),
    retire: verb({
      summary: 'end a key at once that somebody else may have',
      about: `DANGER: nothing that it signed is accepted any more. Another key signs from the same moment
on. Needs the SECRET_KEY of the service.`,
      database: 'existing',
      arguments: {
        kid: required(text('KID', 'the key'), `${COMMAND} keys list shows them`),
      },
      options: { reason: REASON, yes: YES },
      json: 'the key that was retired, and the one that signs instead',
      exits: { refused: 'you said no' },
      run: ({ kid, reason, yes, json }) => {
        const change = { kid, reason, json, confirm: confirmer({ json, yes }) }
        return (store, config) =>
          openKeyMaking(store, config).then((making) => retire(making, change))
      },
    }),
    export: verb({
      summary: 'print the key set that receipts of any age are verified with',
      about: `The public keys for receipts and for the device tokens that decisions were made on, with those
that have ended, and without those that were retired.`,
      database: 'existing',
      json: { none: 'it prints a JSON Web Key Set (RFC 7517) anyway' },
      run: () => (store) => exportKeys(store),
    }),
  },
})

async function list(store: Store, json: boolean): Promise<number> {
  const now = new Date()
  const keys = await store.listSigningKeys()
  if (json) {
    printJson(keys.map((key) => showKey(key, now)))
  } else if (keys.length === 0) {
    printText('There are no keys yet: the service makes them when it starts.\n')
  } else {
    const rows = keys.map((key) => [
      key.use,
      key.kid,
      keyState(key, now),
      key.signsFrom.toISOString(),
      key.signsUntil?.toISOString() ?? '',
      (key.retiredAt ?? key.acceptedUntil)?.toISOString() ?? '',
    ])
    const head = ['purpose', 'key', 'state', 'signs from', 'signs until', 'accepted until']
    printText(`${renderTable(head, rows)}\n`)
  }
  return EXIT.done
}

function showKey(key: StoredSigningKey, now: Date) {
  return {
    purpose: key.use,
    kid: key.kid,
    state: keyState(key, now),
    created_at: key.createdAt,
    signs_from: key.signsFrom,
    signs_until: key.signsUntil,
    accepted_until: key.acceptedUntil,
    retired_at: key.retiredAt,
    public_jwk: key.publicJwk,
  }
}

type Making = Awaited<ReturnType<typeof openKeyMaking>>

/** The uses that have a key already: the first key of another is made when it is needed. */
async function usesOf(store: Pick<Store, 'listSigningKeys'>): Promise<readonly SigningKeyUse[]> {
  const uses = new Set((await store.listSigningKeys()).map(({ use }) => use))
  return SIGNING_KEY_USES.filter((use) => uses.has(use))
}

async function rotate(
  making: Making,
  uses: readonly SigningKeyUse[],
  json: boolean,
): Promise<number> {
  const told: Record<string, unknown> = {}
  const lines: string[] = []
  let code: number = EXIT.done
  for (const use of uses) {
    const rotated = await rotateKey(making, { use, by: COMMAND_LINE })
    if (rotated.ok) {
      const { kid, signsFrom, previousKid, previousAcceptedUntil } = rotated.value
      const until = { previous_kid: previousKid, previous_accepted_until: previousAcceptedUntil }
      told[use] = { kid, signs_from: signsFrom, ...until }
      lines.push(`${use}: ${kid} is published and signs from ${signsFrom.toISOString()}.`)
    } else {
      code = EXIT.refused
      told[use] = rotated.failure
      lines.push(`${use}: ${describeRefusal(rotated.failure)}`)
    }
  }
  if (json) printJson(told)
  else printText(`${lines.join('\n')}\n`)
  return code
}

type Refusal = Extract<Awaited<ReturnType<typeof rotateKey>>, { ok: false }>['failure']

function describeRefusal(failure: Refusal): string {
  switch (failure.reason) {
    case 'rotation_under_way':
      return `not now: ${failure.kid} is published already and signs from ${failure.signsFrom.toISOString()}.`
    case 'rotation_superseded':
      return `somebody else has just changed its keys: ${COMMAND} keys list`
    case 'signing_keys_too_many':
      return `not now: ${failure.most} of its keys have not ended, and a key set may not grow without end.`
  }
}

const CONSEQUENCES: Readonly<Record<SigningKeyUse, string>> = {
  attestation: 'Attestation tokens that it signed are refused; agents attest again.',
  'device-token': `Every device token that it signed is refused: devices attest again to get another. Whoever verifies
them offline accepts them until the key set is fetched again, ${KEY_SET_LIFETIME_SECONDS / 60} minutes at the most.`,
  receipt: 'Its receipts no longer verify by the keys that the service publishes.',
  enrolment: 'Certificates that it signed are refused: those attestation keys enrol again.',
  'security-event':
    'Receivers refuse events that it signed, once they have the key set anew; those that wait are signed by another key.',
  'access-token':
    'Access tokens that it signed are refused within seconds: clients ask for others.',
  'sign-in':
    'Identity providers refuse sign-ins that it signed, and those that are signed now until they read the keys anew: Entra does so once a day.',
  'external-evaluation':
    'Cloudflare Access refuses answers that it signed, once it has the key set anew.',
  'audit-log':
    'Checkpoints of the audit log that it signed prove nothing any more; the log is signed anew by another key.',
}

async function retire(
  making: Making,
  change: {
    readonly kid: string
    readonly reason: string
    readonly json: boolean
    readonly confirm: Confirm
  },
): Promise<number> {
  const { kid, reason, json, confirm } = change
  const key = (await making.store.listSigningKeys()).find((one) => one.kid === kid)
  if (key === undefined) throw new Error(`there is no key ${kid}: ${COMMAND} keys list`)
  if (!json) printText(`${CONSEQUENCES[key.use]}\n`)
  if (!(await confirm(`Retire the ${key.use} key ${kid}?`))) return EXIT.refused
  const retired = await retireKey(making, { kid, by: COMMAND_LINE, reason })
  const changed = retired.ok
  if (json) {
    printJson({ kid, changed, ...(changed && { signing_kid: retired.value.signingKid }) })
  } else {
    const signing = changed ? ` ${retired.value.signingKid} signs from now on.` : ''
    printText(changed ? `${kid} has ended.${signing}\n` : `${kid} was retired already.\n`)
  }
  return EXIT.done
}

async function exportKeys(store: Store): Promise<number> {
  const keys = await store.listSigningKeys()
  printJson({
    keys: keys
      .filter(({ use, retiredAt }) => ['device-token', 'receipt'].includes(use) && !retiredAt)
      .map(({ kid, algorithm, publicJwk }) => {
        return { ...Object(publicJwk), kid, alg: algorithm, use: 'sig' }
      }),
  })
  return EXIT.done
}
