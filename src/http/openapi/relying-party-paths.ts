import { EAR_TYPE } from '../../access/ear/ear.ts'
import { STATUS_LIST_PATH, STATUS_LIST_TYPE } from '../../access/status-list/list-token.ts'
import { refer } from './components.ts'

const jwt = (description: string, type: string) => ({
  description,
  content: { [`application/${type}`]: { schema: { type: 'string' } } },
})
const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: refer('Problem') } },
})

/** What relying parties fetch, by path and method: OpenAPI 3.1 §4.8.9. */
export const RELYING_PARTY_PATHS = {
  [STATUS_LIST_PATH]: {
    get: {
      operationId: 'fetchStatusList',
      summary: 'The status of every device in one signed object (Token Status List).',
      parameters: [
        {
          name: 'If-None-Match',
          in: 'header',
          required: false,
          description: 'The ETag of the list that is there already.',
          schema: { type: 'string' },
        },
      ],
      responses: {
        '200': jwt('The list.', STATUS_LIST_TYPE),
        '304': { description: 'It is the one that is there.' },
        '501': problem('Lists of other times are not kept.'),
        '503': problem('There is no list that is new enough.'),
        default: problem('A refusal.'),
      },
    },
  },
  '/v1/devices/{id}/attestation-result': {
    get: {
      operationId: 'fetchAttestationResult',
      summary:
        'The attestation result of a device (EAR), for a client with the scope access.evaluate.',
      parameters: [
        { name: 'id', in: 'path', required: true, schema: { type: 'string' } },
        {
          name: 'nonce',
          in: 'query',
          required: false,
          description: 'Comes back as eat_nonce.',
          schema: { type: 'string', minLength: 8, maxLength: 88 },
        },
      ],
      responses: {
        '200': jwt('The result.', EAR_TYPE),
        '404': problem('There is no result that counts.'),
        default: problem('A refusal.'),
      },
    },
  },
} as const
