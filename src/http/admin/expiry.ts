import { Hono } from 'hono'
import { z } from 'zod'
import { listExpiries } from '../../operations/expiry/list-expiries.ts'
import { showExpiry, showForecast } from '../../views/show-expiry.ts'
import type { HttpEnv } from '../environment.ts'
import { parseForm } from '../read-json.ts'
import { answerFailure } from './answer-failure.ts'
import type { AdminServices } from './services.ts'

const DAY_MS = 86_400_000

export const expiryQuery = z.object({
  /** What ends within so many days, and what has. */
  within_days: z.coerce.number().int().min(1).max(36_500).optional(),
})

/** What ends by itself, and which devices would fail: as it was foreseen last, since no request reads the fleet. */
export function adminExpiryRoutes(services: AdminServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  app.get('/v1/expiry', async (c) => {
    const query = parseForm(expiryQuery, c.req.query())
    if (!query.ok) return answerFailure(c, query.failure)
    const { within_days: days } = query.value
    const now = services.clock()
    const until = days === undefined ? Infinity : now.getTime() + days * DAY_MS
    const expiries = await listExpiries(services.expiry)
    const forecast = await services.store.fleetForecast()
    return c.json({
      at: now,
      expiries: expiries
        .filter(({ at }) => at.getTime() <= until)
        .map((expiry) => showExpiry(expiry, now)),
      forecast: showForecast(forecast),
    })
  })
  return app
}
