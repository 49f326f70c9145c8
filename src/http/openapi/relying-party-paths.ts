import { EAR_TYPE } from '../../access/ear/ear.ts'
import { STATUS_LIST_PATH, STATUS_LIST_TYPE } from '../../access/status-list/list-token.ts'
import type { ResultFailure } from '../../operations/devices/attestation-result.ts'
import type { StatusListFailure } from '../../operations/status-list/serve-list.ts'
import { header, type Paths, pathParameter, text } from './operation.ts'
import { codesOf, problems } from './refusals.ts'

/** What relying parties fetch. */
export const RELYING_PARTY_PATHS: Paths = {
  [STATUS_LIST_PATH]: {
    get: {
      id: 'fetchStatusList',
      tag: 'relying parties',
      summary: 'The status of every device in one signed object (Token Status List).',
      parameters: [
        header('If-None-Match', 'The ETag of the list that is there already.'),
        {
          ...{ name: 'time', in: 'query', required: false, schema: { type: 'integer' } },
          description: 'Answered 501: lists of other times are not kept (§8.4 of the draft).',
        },
      ],
      answers: {
        '200': text('The list.', `application/${STATUS_LIST_TYPE}`),
        '304': { description: 'It is the one that is there.' },
      },
      refusals: problems({}, [
        ...codesOf<StatusListFailure>({ status_list_unavailable: true }),
        ...(['not_found', 'status_list_history_absent'] as const),
      ]),
    },
  },
  '/v1/devices/{id}/attestation-result': {
    get: {
      id: 'fetchAttestationResult',
      tag: 'relying parties',
      summary: 'The attestation result of a device (EAR).',
      parameters: [
        pathParameter('id', 'The device.'),
        {
          ...{ name: 'nonce', in: 'query', required: false },
          description: 'Comes back as eat_nonce.',
          schema: { type: 'string', pattern: '^[\\x21-\\x7e]{8,88}$' },
        },
      ],
      answers: { '200': text('The result.', `application/${EAR_TYPE}`) },
      refusals: problems(
        { query: true, caller: true },
        codesOf<ResultFailure>({ attestation_result_absent: true }),
      ),
    },
  },
}
