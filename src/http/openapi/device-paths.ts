import {
  type DeviceFailure,
  STANDING_VERBS,
  type StandingVerb,
} from '../../operations/devices/change-standing.ts'
import type { SearchFailure } from '../../operations/devices/find-devices.ts'
import { devicesQuery, refusalsQuery } from '../admin/device-lists.ts'
import { historyQuery } from '../admin/devices.ts'
import {
  json,
  jsonBody,
  type Operation,
  type Paths,
  pathParameter,
  queryParameters,
} from './operation.ts'
import { codesOf, problems } from './refusals.ts'

const shared = { tag: 'devices' } as const

const DEVICE_CODES = codesOf<DeviceFailure>({ device_not_found: true })
const SEARCH_CODES = codesOf<SearchFailure>({ search_too_broad: true })
const id = pathParameter('id', 'dev_ and 52 characters.')

export const SECOND_AWAITED = {
  '202': json('It waits for a second administrator.', 'SecondAwaited'),
}

const WHAT: Readonly<Record<StandingVerb, string>> = {
  quarantine: 'Ends trust in a device until it is released, whatever it attests.',
  release: 'Ends the quarantine of a device.',
  admit: 'Ends the wait of a device for an administrator.',
  'sign-out': 'Ends the device tokens of a device.',
}

function standing(verb: StandingVerb): Operation {
  const name = {
    quarantine: 'quarantine',
    release: 'release',
    admit: 'admit',
    'sign-out': 'signOut',
  }
  return {
    id: `${name[verb]}Device`,
    ...{ ...shared, summary: WHAT[verb] },
    parameters: [id],
    body: jsonBody('DeviceReason'),
    answers: { '200': json('The device as it is now.', 'Device') },
    refusals: problems({ body: true, caller: true, change: true }, DEVICE_CODES),
  }
}

/** What administrators see of devices and do to them. */
export const DEVICE_PATHS: Paths = {
  '/v1/devices': {
    get: {
      id: 'listDevices',
      ...shared,
      summary: 'Devices that are looked for, page by page; or how many are in which group.',
      parameters: queryParameters(devicesQuery, ['label']),
      answers: { '200': json('A page of devices, or groups.', 'Devices') },
      refusals: problems({ query: true, caller: true }, SEARCH_CODES),
    },
    post: {
      id: 'listDevice',
      ...shared,
      summary: 'Lists a device before it attests.',
      body: jsonBody('DeviceToList'),
      answers: {
        '200': json('It was listed before.', 'Device'),
        '201': json('It is listed.', 'Device'),
        ...SECOND_AWAITED,
      },
      refusals: problems({ body: true, caller: true, change: true }, DEVICE_CODES),
    },
  },
  '/v1/devices/{id}': {
    get: {
      id: 'showDevice',
      ...shared,
      summary: 'One device with its last accepted attestation, and what will deny it later.',
      parameters: [id],
      answers: { '200': json('The device.', 'Device') },
      refusals: problems({ caller: true, query: true }, DEVICE_CODES),
    },
    patch: {
      id: 'labelDevice',
      ...shared,
      summary: 'Says who owns a device, what it is called, and its labels.',
      parameters: [id],
      body: jsonBody('DeviceAttributes'),
      answers: { '200': json('The device as it is now.', 'Device'), ...SECOND_AWAITED },
      refusals: problems({ body: true, caller: true, change: true }, DEVICE_CODES),
    },
  },
  '/v1/devices/{id}/attestations': {
    get: {
      id: 'listAttestations',
      ...shared,
      summary: 'Attempts of a device to attest, refused ones among them: the newest first.',
      parameters: [id, ...queryParameters(historyQuery)],
      answers: { '200': json('A page of them.', 'Attempts') },
      refusals: problems({ query: true, caller: true }, DEVICE_CODES),
    },
  },
  ...Object.fromEntries(
    STANDING_VERBS.map((verb) => [`/v1/devices/{id}/${verb}`, { post: standing(verb) }]),
  ),
  '/v1/refusals': {
    get: {
      id: 'listRefusals',
      ...shared,
      summary: 'What was refused last, of whichever device; or what became of one request.',
      parameters: queryParameters(refusalsQuery),
      answers: { '200': json('A page of them, or those of the request.', 'RefusedAttempts') },
      refusals: problems({ query: true, caller: true }),
    },
  },
}
