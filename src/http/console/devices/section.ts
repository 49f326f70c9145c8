import { Hono } from 'hono'
import { findDevices } from '../../../operations/devices/find-devices.ts'
import { groupDevices } from '../../../operations/devices/group-devices.ts'
import { EXPORT_FORMATS } from '../../../views/export-devices.ts'
import type { HttpContext, HttpEnv } from '../../environment.ts'
import { deviceRoutes } from '../device/routes.ts'
import { link } from '../parts.ts'
import type { ConsoleSection, PageServices } from '../services.ts'
import { tellFailure } from '../tell-failure.ts'
import { answerExport } from './export.ts'
import { type Choices, choicesOf } from './filter-form.ts'
import { devicesPage, groupsPage } from './page.ts'
import { type Chosen, parseChosen, readChosen, searchOfQuery } from './query.ts'

const DEVICES_PATH = '/console/devices'
const PAGE_ROWS = 50

/** The fleet: what is looked for in it, and all that is found of one device. */
export const devicesSection: ConsoleSection = {
  name: 'devices',
  title: 'Devices',
  routes(services) {
    const app = new Hono<HttpEnv>()
    app.get(DEVICES_PATH, (c) => answerDevices(c, services))
    for (const format of EXPORT_FORMATS) {
      app.get(`${DEVICES_PATH}/export.${format}`, (c) => answerExport(c, services, format))
    }
    return app.route('/', deviceRoutes(services))
  },
}

async function answerDevices(c: HttpContext, services: PageServices): Promise<Response> {
  const { chosen, hasEmpty } = readChosen(c.req.url)
  // A form sends its empty fields too: the address is made one that can be kept.
  if (hasEmpty) return services.lead(c, link(DEVICES_PATH, chosen))
  const choices = await choicesOf(services)
  const query = parseChosen(chosen)
  if (!query.ok) return answerRefused(c, services, { chosen, choices, failure: query.failure })
  const { by, after } = query.value
  const search = searchOfQuery(query.value, services.clock())
  if (by !== undefined) {
    const counted = await groupDevices(services, { search, by })
    return counted.ok
      ? services.show(c, groupsPage({ by, chosen, choices, counted: counted.value }))
      : answerRefused(c, services, { chosen, choices, failure: counted.failure })
  }
  const found = await findDevices(services, { search, limit: PAGE_ROWS, cursor: after })
  if (!found.ok) return answerRefused(c, services, { chosen, choices, failure: found.failure })
  const now = services.clock()
  return services.show(c, devicesPage({ chosen, choices, found: found.value, search, now }))
}

/** The form as it was filled in, and why it was not answered. */
async function answerRefused(
  c: HttpContext,
  services: PageServices,
  input: {
    readonly chosen: Chosen
    readonly choices: Choices
    readonly failure: Parameters<typeof tellFailure>[1]
  },
): Promise<Response> {
  const { chosen, choices, failure } = input
  const now = services.clock()
  const page = devicesPage({ chosen, choices, found: undefined, search: {}, now })
  return services.show(c, { ...page, ...(await tellFailure(c, failure)) })
}
