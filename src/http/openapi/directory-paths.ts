import type { DeviceFailure } from '../../operations/devices/change-standing.ts'
import type { SearchFailure } from '../../operations/devices/find-devices.ts'
import { auditQuery } from '../admin/audit.ts'
import { entitiesQuery } from '../admin/entities.ts'
import { header, json, jsonBody, type Paths, queryParameters } from './operation.ts'
import { codesOf, problems } from './refusals.ts'

const KIND = { body: true, caller: true, change: true } as const

/** The entity directory, explanations and the audit log. */
export const DIRECTORY_PATHS: Paths = {
  '/v1/entities': {
    get: {
      id: 'listEntities',
      tag: 'entities',
      summary: 'Entities in the order of their names, page by page.',
      parameters: queryParameters(entitiesQuery),
      answers: { '200': json('A page of them.', 'Entities') },
      refusals: problems({ query: true, caller: true }),
    },
    post: {
      id: 'setEntities',
      tag: 'entities',
      summary: 'Sets entities, all of them or none; properties replace those that were there.',
      body: jsonBody('EntitiesToSet'),
      answers: { '200': json('How many changed.', 'EntitiesSet') },
      refusals: problems(KIND),
    },
  },
  '/v1/entities/remove': {
    post: {
      id: 'removeEntities',
      tag: 'entities',
      summary: 'Removes entities, by their names in the body: they may be any text.',
      body: jsonBody('EntitiesToRemove'),
      answers: { '200': json('How many there were.', 'EntitiesRemoved') },
      refusals: problems(KIND),
    },
  },
  '/v1/explanations': {
    post: {
      id: 'explainQuestion',
      tag: 'documents',
      summary: 'What would be decided, and what every clause says to it. It changes nothing.',
      parameters: [header('Accept-Language', 'Of what a person reads.')],
      body: jsonBody('ExplanationRequest'),
      answers: { '200': json('The decision and its clauses.', 'Explanation') },
      refusals: problems(KIND, codesOf<DeviceFailure>({ device_not_found: true })),
    },
  },
  '/v1/audit': {
    get: {
      id: 'listAudit',
      tag: 'audit',
      summary: 'Who changed what, the newest first.',
      parameters: queryParameters(auditQuery),
      answers: { '200': json('A page of entries.', 'AuditEntries') },
      refusals: problems(
        { query: true, caller: true },
        codesOf<SearchFailure>({ search_too_broad: true }),
      ),
    },
  },
}
