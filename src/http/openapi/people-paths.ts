import { sessionsQuery } from '../admin/people.ts'
import { json, jsonBody, type Paths, pathParameter, queryParameters } from './operation.ts'
import { problems } from './refusals.ts'

const PEOPLE = { tag: 'people' } as const

/** People who sign in to the console. */
export const PEOPLE_PATHS: Paths = {
  '/v1/sessions': {
    get: {
      id: 'listSessions',
      ...PEOPLE,
      summary: 'Who is signed in to the console, the youngest session first.',
      parameters: queryParameters(sessionsQuery),
      answers: { '200': json('The sessions that count.', 'Sessions') },
      refusals: problems({ query: true, caller: true }),
    },
  },
  '/v1/people/{id}/end-sessions': {
    post: {
      id: 'endSessions',
      ...PEOPLE,
      summary: 'Ends all sessions of a person at once, in every browser.',
      parameters: [pathParameter('id', 'person: and more.')],
      body: jsonBody('Reason'),
      answers: { '200': json('How many there were.', 'SessionsEnded') },
      refusals: problems({ body: true, caller: true, change: true }),
    },
  },
}
