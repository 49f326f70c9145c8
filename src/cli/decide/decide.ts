import type { Documents } from '../../access/assess.ts'
import type { TrustRecord } from '../../access/trust-record.ts'
import { demandHardware } from '../../appraisal/reference-values.ts'
import type { Config } from '../../config/config.ts'
import { requiresHardware } from '../../config/trust-anchors.ts'
import { explainQuestion } from '../../operations/decide/explain-question.ts'
import {
  completeQuestion,
  describeHypothesisFailure,
  recordOfHypothesis,
} from '../../operations/decide/hypothesis.ts'
import { createRulesReader } from '../../operations/release/rules-in-force.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { Store } from '../../store/store.ts'
import { showExplanation } from '../../views/show-explanation.ts'
import { EXIT, verb } from '../framework/command.ts'
import { flag, option, repeated, text } from '../framework/options.ts'
import { printJson, printText } from '../framework/output.ts'
import { readJsonFile } from '../framework/read-file.ts'
import { UsageError } from '../framework/usage-error.ts'
import { findCandidate, HASH_HELP, isVersion } from '../policy/find-version.ts'
import { demandChecked, readCandidate } from '../policy/read-document.ts'
import { describeExplanation } from './describe-explanation.ts'

const FILE_OR_VERSION = `in the place of what is in force: a file, or ${HASH_HELP}`

const OPTIONS = {
  claims: option('FILE', 'a JSON object of claims, for a device that need not be', readJsonFile),
  label: repeated(text('LABEL', 'a label of that device')),
  noDevice: flag('without any device, as a policy may allow'),
  action: text('NAME', 'what it wants to do (access)'),
  resource: option('ENTITY', 'with what: application:payroll (any:any)', readEntity),
  subject: option('ENTITY', 'who asks, if it is not the device itself: user:alice', readEntity),
  context: option('JSON', 'what else is said with the question: {"network":"home"}', readContext),
  at: option('TIME', 'when it is asked: 2026-12-01T09:00:00Z (now)', readTime),
  policy: text('FILE', FILE_OR_VERSION),
  referenceValues: text('FILE', FILE_OR_VERSION),
  explain: flag('say what each clause said, and what it read'),
}

export const command = verb({
  about: `Asks a question as an identity provider would, about a device that is on record or about claims
from a file. It is decided by the code of every decision, and nothing is written.`,
  database: 'existing',
  arguments: { id: text('DEVICE_ID', 'a device on record: dev_…') },
  options: OPTIONS,
  json: 'the decision with what every clause said',
  exits: { refused: 'it is denied' },
  run({
    id,
    claims,
    label,
    noDevice,
    action,
    resource,
    subject,
    context,
    at,
    explain,
    json,
    ...documents
  }) {
    if ([id !== undefined, claims !== undefined, noDevice].filter(Boolean).length !== 1) {
      throw new UsageError('say one of DEVICE_ID, --claims and --no-device')
    }
    const now = at ?? new Date()
    const record = claims === undefined ? null : readRecord(claims, label, now)
    const about = id === undefined ? { record } : { deviceId: id }
    const deviceId = id ?? record?.deviceId
    const asked = {
      subject,
      resource,
      context,
      ...(action !== undefined && { action: { name: action } }),
    }
    const request = completeQuestion(asked, deviceId)
    if (!request.ok) throw new UsageError(request.failure.message)
    return async (store, config) => {
      const others = await readDocuments(store, documents, { now, config })
      const explained = await explainQuestion(dependenciesOf(store, config), {
        ...{ about, request: request.value, at: now, documents: others },
      })
      if (!explained.ok) throw new Error(`there is no device ${deviceId}`)
      const shown = showExplanation(explained.value)
      if (json) printJson(shown)
      else printText(describeExplanation(shown, { isWhole: explain }))
      return shown.decision ? EXIT.done : EXIT.refused
    }
  },
})

function dependenciesOf(store: Store, config: Config) {
  const clock = () => new Date()
  const rules = createRulesReader(store, {
    clock,
    outageGraceMs: config.outageGraceSeconds * 1000,
    requiresHardware: requiresHardware(config),
  })
  return { store, rules, clock }
}

function readRecord(claims: unknown, labels: readonly string[], now: Date): TrustRecord {
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) {
    throw new UsageError('--claims must be a file of one JSON object')
  }
  const record = recordOfHypothesis({ claims: { ...claims }, device: { labels: [...labels] } }, now)
  if (!record.ok) throw new UsageError(`--claims: ${describeHypothesisFailure(record.failure)}`)
  return record.value
}

async function readDocuments(
  store: Store,
  given: { readonly policy: string | undefined; readonly referenceValues: string | undefined },
  { now, config }: { readonly now: Date; readonly config: Config },
): Promise<Partial<Documents>> {
  const read = async (kind: DocumentKind, name: string | undefined) => {
    if (name === undefined) return undefined
    const candidate = isVersion(name)
      ? await findCandidate(store, { kind, prefix: name, now })
      : readCandidate(kind, name, { now })
    return demandChecked(candidate)
  }
  const policy = await read('policy', given.policy)
  const values = await read('reference-values', given.referenceValues)
  return {
    ...(policy?.kind === 'policy' && { policy: policy.compiled }),
    ...(values?.kind === 'reference-values' && {
      // As they would decide under these settings.
      referenceValues: demandHardware(values.compiled, requiresHardware(config)),
    }),
  }
}

function readEntity(given: string, label: string) {
  const [, type, id] = /^([^:]+):(.+)$/.exec(given) ?? []
  if (type === undefined || id === undefined) {
    throw new UsageError(`${label} must be like application:payroll, not '${given}'`)
  }
  return { type, id }
}

function readContext(given: string, label: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(given)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  } catch {
    // Told below.
  }
  throw new UsageError(`${label} must be a JSON object such as {"network":"home"}`)
}

function readTime(given: string, label: string): Date {
  const time = new Date(given)
  const isTime = /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/.test(given) && !Number.isNaN(time.getTime())
  if (isTime) return time
  throw new UsageError(`${label} must be a time in UTC such as 2026-12-01T09:00:00Z`)
}
