import { proofQuery, tileQuery } from '../admin/audit-log.ts'
import { json, type Paths, pathParameter, queryParameters, text } from './operation.ts'
import { problems } from './refusals.ts'

const NUMBER = { pattern: '^(0|[1-9][0-9]*)$' }
const NONE_YET = ['not_found'] as const

/** What proves the audit log. */
export const AUDIT_PATHS: Paths = {
  '/v1/audit/log': {
    get: {
      id: 'readAuditLog',
      tag: 'audit',
      summary: 'The newest checkpoint of the Merkle tree over the audit log, and who signs them.',
      answers: { '200': json('What the log is at.', 'AuditLog') },
      refusals: problems({ caller: true }, NONE_YET),
    },
  },
  '/v1/audit/log/checkpoint': {
    get: {
      id: 'readAuditCheckpoint',
      tag: 'audit',
      summary: 'The newest checkpoint alone: a signed note (C2SP tlog-checkpoint).',
      answers: { '200': text('The note.', 'text/plain') },
      refusals: problems({ caller: true }, NONE_YET),
    },
  },
  '/v1/audit/log/tiles/{level}/{tile}': {
    get: {
      id: 'readAuditTile',
      tag: 'audit',
      summary: 'Hashes of the tree, 32 bytes each, in tiles of 256 (C2SP tlog-tiles).',
      parameters: [
        pathParameter('level', 'From 0, that of the leaves.', NUMBER),
        pathParameter('tile', 'Which of its level, from 0.', NUMBER),
        ...queryParameters(tileQuery),
      ],
      answers: { '200': text('The hashes, one after the other.', 'application/octet-stream') },
      refusals: problems({ query: true, caller: true }, NONE_YET),
    },
  },
  '/v1/audit/log/proof': {
    get: {
      id: 'proveAuditEntry',
      tag: 'audit',
      summary: 'An inclusion proof of a leaf, or a consistency proof of two sizes (RFC 6962 §2.1).',
      parameters: queryParameters(proofQuery),
      answers: { '200': json('The proof; hashes are in base64.', 'AuditProof') },
      refusals: problems({ query: true, caller: true }, NONE_YET),
    },
  },
}
