import type { WebhookFailure } from '../../operations/alerts/manage-webhooks.ts'
import { expiryQuery } from '../admin/expiry.ts'
import { json, jsonBody, type Paths, pathParameter, queryParameters } from './operation.ts'
import { codesOf, problems } from './refusals.ts'

const ALARMS = { tag: 'alarms' } as const
const QUERY = { query: true, caller: true } as const
const CHANGE = { query: true, caller: true, change: true } as const
const BODY = { body: true, caller: true } as const

const CODES = codesOf<WebhookFailure>({
  webhook_not_found: true,
  webhooks_too_many: true,
  webhook_changed_meanwhile: true,
})
const ID = pathParameter('id', 'str_ and more.')

/** What is wrong now, what ends soon, and who is told. */
export const ALARM_PATHS: Paths = {
  '/v1/expiry': {
    get: {
      id: 'readExpiry',
      ...ALARMS,
      summary: 'What ends by itself, the earliest first, and which devices would fail by then.',
      parameters: queryParameters(expiryQuery),
      answers: { '200': json('What ends, and what was foreseen last.', 'Expiry') },
      refusals: problems(QUERY),
    },
  },
  '/v1/alarms': {
    get: {
      id: 'listAlarms',
      ...ALARMS,
      summary: 'The alarms that stand, the oldest first.',
      answers: { '200': json('The alarms.', 'Alarms') },
      refusals: problems(QUERY),
    },
  },
  '/v1/alarms/names': {
    get: {
      id: 'listAlarmNames',
      ...ALARMS,
      summary: 'Every alarm that there is, with what it means and what to do.',
      answers: { '200': json('The names.', 'AlarmNames') },
      refusals: problems(QUERY),
    },
  },
  '/v1/webhooks': {
    get: {
      id: 'listWebhooks',
      ...ALARMS,
      summary: 'The destinations of alarms, and how deliveries go.',
      answers: { '200': json('The destinations.', 'Webhooks') },
      refusals: problems(QUERY),
    },
    post: {
      id: 'createWebhook',
      ...ALARMS,
      summary: 'Makes a destination; its secret is in this answer and in no other.',
      body: jsonBody('WebhookToCreate'),
      holdsSecret: true,
      answers: { '201': json('The destination and its secret.', 'WebhookSecret') },
      refusals: problems(BODY, CODES),
    },
  },
  '/v1/webhooks/{id}': {
    delete: {
      id: 'removeWebhook',
      ...ALARMS,
      summary: 'Ends a destination, with all that waits for it.',
      parameters: [ID],
      answers: { '200': json('Its id.', 'WebhookNamed') },
      refusals: problems(CHANGE, CODES),
    },
  },
  '/v1/webhooks/{id}/rotate': {
    post: {
      id: 'rotateWebhook',
      ...ALARMS,
      summary: 'Has another secret sign; the one before signs too for a while.',
      parameters: [ID],
      body: jsonBody('WebhookRotation'),
      holdsSecret: true,
      answers: { '200': json('The new secret.', 'WebhookRotated') },
      refusals: problems(BODY, CODES),
    },
  },
  '/v1/webhooks/{id}/test': {
    post: {
      id: 'testWebhook',
      ...ALARMS,
      summary: 'Has a test posted to a destination.',
      parameters: [ID],
      answers: { '200': json('Its id.', 'WebhookNamed') },
      refusals: problems(CHANGE, CODES),
    },
  },
}
