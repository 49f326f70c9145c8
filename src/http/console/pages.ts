import { Hono } from 'hono'
import type { HttpEnv } from '../environment.ts'
import { answerWords } from './notice.ts'
import { type ConsoleServices, placeOf } from './services.ts'

/**
 * The pages of the console. Each has a line in `ROUTE_ACCESS`, which says who may see it; who asks stands under
 * `client`, as for a program, and under `signedIn`, with their name and roles.
 */
export function consolePages(services: ConsoleServices): Hono<HttpEnv> {
  return new Hono<HttpEnv>().get('/console', (c) => {
    const { person } = c.get('signedIn')
    return answerWords(c, {
      status: 200,
      heading: 'Countersign',
      said: `Signed in as ${person.name} (${person.roles.join(', ')}).`,
      next: { href: placeOf(services, '/console'), text: 'Overview' },
    })
  })
}
