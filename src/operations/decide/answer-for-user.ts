import type { Decision } from '../../access/decide.ts'
import { completeRequest } from '../../access/directory.ts'
import type { EvaluationRequest } from '../../access/evaluation-request.ts'
import { err, ok } from '../../base/result.ts'
import { demandsDevice } from '../../policy/language/evaluate.ts'
import type { FoundRecord } from '../../store/devices/found-records.ts'
import type { Store } from '../../store/store.ts'
import type { RulesReader } from '../release/rules-in-force.ts'
import { type DecidingDependencies, decideOne, reportIfDue } from './answer-by-policy.ts'
import { findFactsBy } from './facts.ts'
import type { Asked, Question } from './question.ts'

export type FoundDevicesDependencies = DecidingDependencies & {
  readonly store: Pick<Store, 'findTrustRecords' | 'directoryEntries'>
  readonly rules: Pick<RulesReader, 'at' | 'directoryKinds'>
}

/** Who owns more is no person, and a device of such an owner says nothing about who signs in. */
export const MOST_DEVICES_OF_USER = 32

/**
 * Answers a question of somebody who knows the user and not the device, as identity providers ask while a
 * token is issued. Where the policy demands no device for it, it is answered as it came. Else it is asked
 * about each device of the user, the one that attested last first, until one is granted, as the semantic
 * `permit_on_first_permit` of AuthZEN §7.1.2.1 has it. So a grant says that the user has a device that may, and
 * not that it is the one in use.
 *
 * A user without devices, or with more than `MOST_DEVICES_OF_USER`, names none, which is denied as such. All
 * is read in one statement. Faults of the store throw.
 *
 * @param owners what administrators may have written as the owner of this user's devices
 */
export async function answerForUser(
  dependencies: FoundDevicesDependencies,
  { owners, request }: { readonly owners: readonly string[]; readonly request: EvaluationRequest },
  asked: Asked,
): Promise<Decision> {
  const query = { by: 'owner', texts: owners, most: MOST_DEVICES_OF_USER + 1 } as const
  const { rulesInForce, found, directoryOf } = await findFactsBy(dependencies, query, [request])
  const directory = directoryOf(request)
  const shared = { directory, rulesInForce, asked }
  const { policy } = rulesInForce.rulesFor(null, dependencies.clock()).rules
  const completed = directory === undefined ? request : completeRequest(request, directory)
  const isBounded = found.length <= MOST_DEVICES_OF_USER
  const devices = isBounded && demandsDevice(policy, completed) ? inTurn(found) : []
  const [first, ...others] = devices
  if (first === undefined) {
    const question = questionOf(request, undefined)
    return end(dependencies, await decideOne(dependencies, { ...shared, question, record: null }))
  }
  const decideOn = ({ record }: FoundRecord) => {
    const question = questionOf(request, record.deviceId)
    return decideOne(dependencies, { ...shared, question, record })
  }
  const told = await decideOn(first)
  for (const device of told.decision ? [] : others) {
    const decision = await decideOn(device)
    if (decision.decision) return end(dependencies, decision)
  }
  return end(dependencies, told)
}

/** What is told on a denial is told of the first: it was in use last. */
function inTurn(found: readonly FoundRecord[]): readonly FoundRecord[] {
  const attestedAt = ({ record }: FoundRecord) => record.attestation?.attestedAt.getTime() ?? 0
  return [...found].sort(
    (a, b) => attestedAt(b) - attestedAt(a) || (a.record.deviceId < b.record.deviceId ? -1 : 1),
  )
}

/** The question about one device, as whoever knows the device would send it. */
export function questionOf(request: EvaluationRequest, deviceId: string | undefined): Question {
  const asked = { token: undefined, requestDigest: undefined }
  if (deviceId === undefined) {
    return { request, device: err({ reason: 'device_not_named' }), ...asked }
  }
  const { subject } = request
  const properties = { ...subject.properties, device_id: deviceId }
  const about = { ...request, subject: { ...subject, properties } }
  return { request: about, device: ok(deviceId), ...asked }
}

async function end(dependencies: DecidingDependencies, decision: Decision): Promise<Decision> {
  await reportIfDue(dependencies)
  return decision
}
