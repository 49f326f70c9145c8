import { createLog } from '../../../src/base/log.ts'
import type { RulesInForce } from '../../../src/operations/release/rules-in-force.ts'
import { deliverRound } from '../../../src/operations/signals/deliver-round.ts'
import { PUSH } from '../../../src/signals/stream.ts'
import { openPostgresStore } from '../../../src/store/drivers/postgres.ts'
import { pushTo } from './push-by-fetch.ts'

/**
 * A process that does nothing but deliver, until it is killed. Its arguments: the database, the name under which it
 * has leases, since when (milliseconds of the epoch) and how many times faster the clock of all processes goes, so
 * that the lease of one that was killed is soon over.
 */
const [, , url = '', processId = '', since = '', speed = '1'] = process.argv
const clock = () => new Date(Number(since) + (Date.now() - Number(since)) * Number(speed))
const store = openPostgresStore({ url, poolSize: 5 })
// Claims alone: what signs is another's to test.
const encode = (claims: object) => Buffer.from(JSON.stringify(claims)).toString('base64url')
/** The texts of reasons come from the policy in force, and these events have no reason. */
const WITHOUT_TEXTS = { active: { policy: { clauseById: new Map() } } } as unknown as RulesInForce

process.stdout.write('begun\n')
for (;;) {
  await deliverRound(
    {
      ...{ store, clock, processId, issuer: 'https://countersign.example', chance: () => 0.5 },
      log: createLog({ level: 'error', write: (line) => process.stderr.write(line), clock }),
      rules: { recent: async () => WITHOUT_TEXTS },
      signEvent: async (claims) => `e30.${encode(claims)}.`,
      writeState: async () => ({ kind: 'later', cause: 'no stream here is one of states' }),
      postAlarm: async () => ({ kind: 'later', cause: 'no alarm is told here' }),
      push: ({ delivery }, token) => pushTo(delivery.method === PUSH ? delivery.url : '', token),
    },
    new AbortController().signal,
  )
  await new Promise((resolve) => setTimeout(resolve, 5))
}
