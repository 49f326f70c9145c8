import { Hono } from 'hono'
import {
  OVERVIEW_RANGES,
  type OverviewRange,
  readOverview,
} from '../../../operations/overview/read-overview.ts'
import type { HttpEnv } from '../../environment.ts'
import type { ConsoleSection } from '../services.ts'
import { overviewPage } from './page.ts'

/** The first page: how the fleet is, what changes, and what wants somebody. */
export const overviewSection: ConsoleSection = {
  name: '',
  title: 'Overview',
  routes(services) {
    return new Hono<HttpEnv>().get('/console', async (c) => {
      const range = rangeOf(c.req.query('range'))
      const overview = await readOverview(services, range)
      return services.show(c, overviewPage(overview, { range, publicUrl: services.publicUrl }))
    })
  },
}

function rangeOf(text: string | undefined): OverviewRange {
  const names = Object.keys(OVERVIEW_RANGES) as OverviewRange[]
  return names.find((name) => name === text) ?? 'day'
}
