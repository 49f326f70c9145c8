import { serve } from '@hono/node-server'
import { eq, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { Hono } from 'hono'
import pg from 'pg'
import { readNodeConfig } from '../../src/config/node-config.ts'
import { startNodeService } from '../../src/node.ts'
import { recordColumns } from '../../src/store/devices/trust-records.ts'
import { device } from '../../src/store/schema/device-schema.ts'
import type { Fleet } from './fleet.ts'
import type { Variant } from './rounds.ts'
import { readInput, say } from './variant.ts'

type Input = { readonly variant: Variant; readonly environment: Fleet['environment'] }

const { variant, environment } = readInput<Input>()
const config = await readNodeConfig({ ...environment, PORT: '0' })

if (variant === 'path') {
  const service = await startNodeService(config)
  say({ url: service.url })
} else {
  if (config.database.kind !== 'postgres') throw new TypeError('the floor is PostgreSQL')
  const { url, poolSize } = config.database
  const app = createFloor(new pg.Pool({ connectionString: url, max: poolSize }))
  serve({ fetch: app.fetch, hostname: config.host, port: config.port }, () =>
    say({ url: `http://${config.host}:${config.port}` }),
  )
}

process.on('message', () => {
  const { user, system } = process.cpuUsage()
  say({ cpuMicros: user + system })
})
process.on('SIGTERM', () => process.exit())

/**
 * What any service that keeps devices in a database has to do for the same request: take it, read
 * the row by its primary key with a prepared statement, answer. No authentication, no checks.
 */
function createFloor(pool: pg.Pool): Hono {
  const read = drizzle(pool)
    .select(recordColumns)
    .from(device)
    .where(eq(device.deviceId, sql.placeholder('deviceId')))
    .prepare('floor')
  return new Hono().post('/access/v1/evaluation', async (c) => {
    const { subject } = await c.req.json()
    const [row] = await read.execute({ deviceId: subject.id })
    return c.json({ decision: row !== undefined, device_id: row?.deviceId })
  })
}
