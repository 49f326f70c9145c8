import { Hono } from 'hono'
import { STATUS_LIST_PATH, STATUS_LIST_TYPE } from '../../access/status-list/list-token.ts'
import type { ServedStatusList, StatusListServer } from '../../operations/status-list/serve-list.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerProblem } from '../errors/problem.ts'

export type StatusListServices = {
  /** Absent where there is no list. */
  readonly statusList: StatusListServer | undefined
}

/** The list is signed anew several times in its life: after so long there is one, unless something is wrong. */
const RETRY_SECONDS = '30'

/**
 * The status of every device in one object that anybody may keep until it ends: it names no device.
 * draft-ietf-oauth-status-list §8
 */
export function statusListRoutes({ statusList }: StatusListServices): Hono<HttpEnv> {
  return new Hono<HttpEnv>().get(STATUS_LIST_PATH, async (c) => {
    // §8.1: programs in browsers may read it.
    c.header('access-control-allow-origin', '*')
    if (statusList === undefined) return answerProblem(c, 'not_found')
    // §8.4: lists of other times are not kept.
    if (c.req.query('time') !== undefined) return answerProblem(c, 'status_list_history_absent')
    const list = await statusList.read()
    if (list.ok) return answerList(c, list.value)
    c.header('retry-after', RETRY_SECONDS)
    return answerProblem(c, list.failure.reason)
  })
}

function answerList(c: HttpContext, list: ServedStatusList): Response {
  const isGzip = acceptsGzip(c.req.header('accept-encoding'))
  const tag = isGzip ? `"${list.tag}-gzip"` : `"${list.tag}"`
  c.header('cache-control', `public, max-age=${list.secondsLeft}`)
  c.header('etag', tag)
  c.header('vary', 'accept-encoding')
  if (isNamedIn(c.req.header('if-none-match'), list.tag)) return c.body(null, 304)
  c.header('content-type', `application/${STATUS_LIST_TYPE}`)
  if (!isGzip) return c.body(list.token)
  c.header('content-encoding', 'gzip')
  const { headers } = c.body(list.gzipped)
  return new Response(list.gzipped, { headers, ...ENCODED })
}

/** Workers encode a body anew whose encoding is named, unless they are told that it is. */
const ENCODED = { encodeBody: 'manual' }

/** RFC 9110 §12.5.3: named with a weight other than 0, or covered by `*`. */
function acceptsGzip(accepted = ''): boolean {
  const weights = new Map(
    accepted.split(',').map((item) => {
      const [coding = '', weight = ''] = item.split(';').map((part) => part.trim().toLowerCase())
      return [coding, !/^q=0(?:\.0*)?$/.test(weight)]
    }),
  )
  return weights.get('gzip') ?? weights.get('x-gzip') ?? weights.get('*') ?? false
}

/** RFC 9110 §13.1.2: whatever the encoding, and by weak comparison. */
function isNamedIn(names = '', tag: string): boolean {
  const known = [`"${tag}"`, `"${tag}-gzip"`]
  return names.split(',').some((one) => {
    const name = one.trim().replace(/^W\//, '')
    return name === '*' || known.includes(name)
  })
}
