import { COMMAND } from '../../base/command.ts'
import { createRandomSource } from '../../base/random.ts'
import { consoleLinkKeys } from '../../compose/keys.ts'
import { mayUseLinks } from '../../compose/people.ts'
import { listRouteLines } from '../../compose/role-table.ts'
import type { Config } from '../../config/config.ts'
import { endSessionsOf, listSessions } from '../../operations/people/end-sessions.ts'
import { makeSignInLink } from '../../operations/people/link.ts'
import type { Store } from '../../store/store.ts'
import type { StoredPersonSession } from '../../store/system/person-sessions.ts'
import { showSession } from '../../views/show-session.ts'
import { EXIT, group, verb } from '../framework/command.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { REASON, required, text } from '../framework/options.ts'
import { printJson, printText } from '../framework/output.ts'
import { renderTable } from '../framework/table.ts'
import { readSecrets } from '../keys/key-making.ts'
import { listCommandLines, writeRolesPage } from './roles-page.ts'

export const command = group({
  about: `People sign in to the console, at the OpenID provider of the organisation or by a one-time link.
See docs/console.md.`,
  verbs: {
    list: verb({
      summary: 'list who is signed in',
      database: 'existing',
      json: 'the sessions that count, as the administration API shows them',
      run:
        ({ json }) =>
        (store) =>
          list(store, json),
    }),
    'end-sessions': verb({
      summary: 'end all sessions of a person at once, in every browser',
      about: `Whoever the issuer gives a role signs in again: to keep somebody out, take the role from them there.`,
      database: 'existing',
      arguments: {
        person: required(text('PERSON_ID', 'the person: person:…'), `${COMMAND} people list`),
      },
      options: { reason: REASON },
      json: 'the id of the person, and how many sessions there were',
      run: (values) => (store) => endSessions(store, values),
    }),
    link: verb({
      summary: 'make a link by which you sign in as the owner, once',
      about: `For a service without an issuer on a loopback address. It counts for a quarter of an hour.`,
      database: 'existing',
      json: 'the link, and until when it counts',
      run:
        ({ json }) =>
        (_, config) =>
          link(config, json),
    }),
    roles: verb({
      summary: 'print which role may ask for which route, and which command',
      json: 'all routes and all commands, each with its roles',
      run({ json }) {
        if (json) printJson({ routes: listRouteLines(), commands: listCommandLines() })
        else printText(writeRolesPage())
        return EXIT.done
      },
    }),
  },
})

async function list(store: Store, json: boolean): Promise<number> {
  const sessions = await listSessions({ store }, { now: new Date() })
  if (json) printJson(sessions.map(showSession))
  else printText(describe(sessions))
  return EXIT.done
}

function describe(sessions: readonly StoredPersonSession[]): string {
  if (sessions.length === 0) return 'Nobody is signed in.\n'
  const rows = sessions.map(({ personId, name, roles, beganAt, address }) => {
    return [personId, name, roles.join(' '), toMinute(beganAt), address]
  })
  return `${renderTable(['person', 'name', 'roles', 'since', 'from'], rows)}\n`
}

function toMinute(time: Date): string {
  return `${time.toISOString().slice(0, 16)}Z`
}

async function endSessions(
  store: Store,
  {
    person,
    reason,
    json,
  }: { readonly person: string; readonly reason: string; readonly json: boolean },
): Promise<number> {
  const change = { personId: person, by: COMMAND_LINE, reason, now: new Date() }
  const ended = await endSessionsOf({ store }, change)
  if (json) printJson({ person_id: person, ended })
  else if (ended === 0) printText(`${person} was not signed in.\n`)
  else printText(`${person} is signed out everywhere (sessions: ${ended}).\n`)
  return EXIT.done
}

async function link(config: Config, json: boolean): Promise<number> {
  if (!mayUseLinks(config)) {
    throw new Error(
      'one-time links are for a service without CONSOLE_ISSUER, with HOST and PUBLIC_URL on a loopback address',
    )
  }
  const made = await makeSignInLink({
    keys: { link: consoleLinkKeys(await readSecrets(config)) },
    publicUrl: config.publicUrl,
    clock: () => new Date(),
    random: createRandomSource(),
  })
  if (json) printJson({ url: made.url, until: made.until })
  else printText(`${made.url}\n\nIt signs in once, until ${made.until.toISOString()}.\n`)
  return EXIT.done
}
