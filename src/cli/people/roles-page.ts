import { listRouteLines, rolesWith } from '../../compose/role-table.ts'
import { ROLE_NAMES, type Role } from '../../oauth/roles.ts'
import { SCOPES } from '../../oauth/scopes.ts'
import { COMMAND_ACCESS, type CommandAccess } from '../command-access.ts'

/** A command, as whom it acts, and who may do the same elsewhere. */
export type CommandLine = {
  readonly command: string
  readonly acts: 'owner' | 'anybody'
  readonly roles: readonly Role[]
}

/** Every command, in the order of their table. */
export function listCommandLines(): readonly CommandLine[] {
  return Object.entries(COMMAND_ACCESS).map(([command, access]) => ({
    command,
    acts: access === 'anybody' ? 'anybody' : 'owner',
    roles: rolesLike(access),
  }))
}

function rolesLike(access: CommandAccess): readonly Role[] {
  const scope = SCOPES.find((one) => one === access)
  return scope === undefined ? [] : rolesWith([scope])
}

/** Both tables as a page in Markdown. */
export function writeRolesPage(): string {
  const routes = listRouteLines().map(({ route, demands, roles }) =>
    rowOf([`\`${route}\``, demands], roles),
  )
  const commands = listCommandLines().map(({ command, acts, roles }) =>
    rowOf([`\`${command}\``, acts], roles),
  )
  return `${INTRODUCTION}
## Routes

${headOf(['route', 'demands'])}
${routes.join('\n')}

## Commands

A command that works on a database or with the secret of a service acts as its owner: it asks for no role. Marked are
the roles that may do the same over HTTP or in the console; without a mark it can be done on the machine alone.

${headOf(['command', 'acts as'])}
${commands.join('\n')}
`
}

const INTRODUCTION = `# Who may do what

Made from the source by \`npm run -s countersign -- people roles\`; do not edit. What the roles are for says
[the console](console.md#roles). A person and an API client of one role may do the same.

Where a route demands no scope, it says how whoever asks is known instead: a \`device\` by its evidence, tokens and keys; a
\`client\` by its secret or keys; an \`identity provider\` by what it signs; a \`browser\` by a cookie for one sign-in.
`

function headOf(columns: readonly string[]): string {
  const names = [...columns, ...ROLE_NAMES]
  return `| ${names.join(' | ')} |\n|${names.map(() => '---').join('|')}|`
}

function rowOf(cells: readonly string[], roles: readonly Role[]): string {
  const marks = ROLE_NAMES.map((role) => (roles.includes(role) ? 'yes' : ''))
  return `| ${[...cells, ...marks].join(' | ')} |`
}
