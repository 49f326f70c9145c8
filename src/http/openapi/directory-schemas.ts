import { z } from 'zod'
import type { showAuditEntry } from '../../views/show-audit.ts'
import type { showExplanation } from '../../views/show-explanation.ts'
import { removeBody, setBody } from '../admin/entities.ts'
import { explanationBody } from '../admin/explanations.ts'
import { decision, toldRelief } from './access-schemas.ts'
import { formOf } from './form-of.ts'

const time = z.iso.datetime()
const count = z.int().min(0)

const shared = {
  properties: z.record(z.string(), z.unknown()),
  source: z.string(),
  updated_at: time,
}
const entity = z.discriminatedUnion('kind', [
  z.object({ kind: z.enum(['subject', 'resource']), type: z.string(), id: z.string(), ...shared }),
  z.object({ kind: z.literal('action'), name: z.string(), ...shared }),
])

const auditEntry = formOf<ReturnType<typeof showAuditEntry>>()(
  z.object({
    audit_id: z.string(),
    at: time,
    actor: z.string(),
    action: z.string(),
    device_id: z.string().nullable(),
    detail: z.unknown(),
    request: z.unknown(),
  }),
)

const explanation = formOf<ReturnType<typeof showExplanation>>()(
  decision.extend({
    at: time,
    origin: z
      .enum(['accepted', 'policy_not_pinned', 'anchor_not_listed', 'hardware_unproven'])
      .nullable(),
    status: z.enum(['none', 'affirming', 'warning', 'contraindicated']).nullable(),
    clauses: z.array(
      z.object({
        clause: z.string(),
        scope: z.enum(['device', 'request']),
        severity: z.enum(['enforce', 'report']),
        status: z.enum(['pass', 'fail', 'undecidable', 'not_applicable']),
        cause: z.string().exactOptional(),
        when: z.string().exactOptional(),
        require: z.string(),
        reads: z.record(z.string(), z.unknown()),
        relief: toldRelief.exactOptional(),
      }),
    ),
  }),
)

export const DIRECTORY_SCHEMAS = {
  EntitiesToSet: setBody,
  EntitiesToRemove: removeBody,
  Entity: entity,
  Entities: z.object({ entities: z.array(entity), next_cursor: z.string().nullable() }),
  EntitiesSet: z.object({ added: count, changed: count, unchanged: count }),
  EntitiesRemoved: z.object({ removed: count, absent: count }),
  ExplanationRequest: explanationBody,
  Explanation: explanation,
  AuditEntry: auditEntry,
  AuditLog: z.object({
    origin: z.string(),
    size: count,
    root: z.string(),
    signed_at: time.nullable(),
    checkpoint: z.string(),
    keys: z.array(z.string()),
    append_only: z.boolean(),
  }),
  AuditProof: z.object({ hashes: z.array(z.string()) }),
  AuditEntries: z.object({
    entries: z.array(auditEntry),
    since: time,
    until: time,
    next_before: z.string().nullable(),
  }),
} as const satisfies Readonly<Record<string, z.ZodType>>
