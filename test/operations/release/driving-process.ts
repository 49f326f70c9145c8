import { randomBytes } from 'node:crypto'
import { toBase64 } from '../../../src/base/encoding.ts'
import { createLog } from '../../../src/base/log.ts'
import { runControl } from '../../../src/compose/jobs.ts'
import { createServices } from '../../../src/compose/services.ts'
import { parseConfig } from '../../../src/config/config.ts'
import { parseMasterSecret } from '../../../src/keys/master-secret.ts'
import { openPostgresStore } from '../../../src/store/drivers/postgres.ts'

/** Runs the rounds of control without a pause, until it is killed. */
const [url = ''] = process.argv.slice(2)
const config = parseConfig({ DATABASE_URL: url, SECRET_KEY: toBase64(randomBytes(32)) })
const masterSecret = parseMasterSecret(Buffer.alloc(32, 1).toString('base64'))
if (!config.ok || masterSecret === undefined) throw new TypeError('the settings are right')
const clock = () => new Date()
const log = createLog({ level: 'silent', write: () => {}, clock })
const store = openPostgresStore({ url, poolSize: 2 })
const services = await createServices({
  config: config.value,
  log,
  store,
  secrets: [masterSecret],
  clock,
})
for (;;) {
  await runControl(services)
  await new Promise(setImmediate)
}
