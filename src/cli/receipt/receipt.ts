import { type Command, readArguments, UsageError } from '../framework/arguments.ts'
import { withDatabase } from '../framework/open-database.ts'
import { DATA_OPTION, readSettings } from '../framework/settings.ts'
import { prepareExport } from './export.ts'
import { verify } from './verify.ts'

const OPTIONS = {
  jwks: { type: 'string' },
  issuer: { type: 'string' },
  inputs: { type: 'string' },
  request: { type: 'string' },
  out: { type: 'string' },
  json: { type: 'boolean', default: false },
  ...DATA_OPTION,
} as const

export const command: Command = {
  options: OPTIONS,
  help: `Usage: countersign receipt verify FILE|- --jwks FILE [--issuer URL] [--inputs FILE] [--json]
       countersign receipt export FILE|- --out FILE [--request FILE] [--json]

A decision carries a receipt in context.receipt if its request has "receipt": true in its context.

verify needs neither network nor database. With --inputs it decides again, by the code that decided
then, and compares every member of the receipt. export reads from the database what a receipt was
made from, and refuses what does not have the digest that the receipt says.

  FILE|-          the receipt: a compact JWS; - is standard input
  --jwks FILE     the key set of the service: what it serves at /.well-known/jwks.json
  --issuer URL    the service that must have made it (PUBLIC_URL)
  --inputs FILE   what export wrote
  --request FILE  the AuthZEN request as it was sent, which only who asked has kept; of a batch one
                  question with its defaults. It completes the inputs of verify and of export.
  --out FILE      where to write the inputs; it holds what is known about the device
  --data DIR      the data directory of the embedded database (DATA_DIR; ./data); works while the
                  service runs on it. DATABASE_URL uses PostgreSQL.
  --json          print one JSON object: verified, reason, where, remarks, and of verify also
                  signed, recomputed and receipt

Exit status: 0 verified, or exported; 2 refused (with the reason); 1 wrong usage.
`,
  async run(args) {
    const { values, positionals } = readArguments(args, OPTIONS, 2)
    const [verb, path] = positionals
    if (verb === 'verify') return await verify(path, values)
    if (verb !== 'export') throw new UsageError('say verify or export')
    const perform = prepareExport(path, values)
    return withDatabase(await readSettings(values), { mayCreate: false }, perform)
  },
}
