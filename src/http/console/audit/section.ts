import { Hono } from 'hono'
import { readAudit } from '../../../operations/audit/read-audit.ts'
import type { HttpContext, HttpEnv } from '../../environment.ts'
import { readChosen } from '../devices/query.ts'
import { link } from '../parts.ts'
import type { ConsoleSection, PageServices } from '../services.ts'
import { tellFailure } from '../tell-failure.ts'
import { AUDIT_PATH, auditPage } from './page.ts'
import { parseAuditQuery } from './query.ts'

const PAGE_ROWS = 50

/** Who changed what, and when, before and after. */
export const auditSection: ConsoleSection = {
  name: 'audit',
  title: 'Audit',
  routes: (services) => new Hono<HttpEnv>().get(AUDIT_PATH, (c) => answerAudit(c, services)),
}

async function answerAudit(c: HttpContext, services: PageServices): Promise<Response> {
  const { chosen, hasEmpty } = readChosen(c.req.url)
  // A form sends its empty fields too: the address is made one that can be kept.
  if (hasEmpty) return services.lead(c, link(AUDIT_PATH, chosen))
  const now = services.clock()
  const query = parseAuditQuery(chosen, PAGE_ROWS)
  const found = query.ok ? await readAudit(services.store, query.value, now) : query
  if (found.ok) return services.show(c, auditPage({ chosen, found: found.value, now }))
  const page = auditPage({ chosen, found: undefined, now })
  return services.show(c, { ...page, ...(await tellFailure(c, found.failure)) })
}
