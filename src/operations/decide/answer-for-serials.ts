import type { Decision } from '../../access/decide.ts'
import type { EvaluationRequest } from '../../access/evaluation-request.ts'
import { foldText } from '../../base/fold-text.ts'
import type { FoundRecord } from '../../store/devices/found-records.ts'
import { decideOne, reportIfDue } from './answer-by-policy.ts'
import { type FoundDevicesDependencies, questionOf } from './answer-for-user.ts'
import { findFactsBy } from './facts.ts'
import type { Asked } from './question.ts'

/** A question about the device with a serial number. */
export type SerialQuestion = {
  readonly serial: string
  readonly request: EvaluationRequest
  /** Who says that it is the user of the device: a device of another owner is another device. */
  readonly user: string
}

/** Statements that numbers of many devices may cost one page of questions; what is left then finds no device. */
const MOST_READS = 4

/**
 * Answers questions of somebody who knows devices by their serial numbers, in their order and from one
 * statement, unless some number is that of many devices. `undefined` where no device has the number, where
 * several have it, as makers leave the same text in many, or where the one that has it is somebody else's.
 * Faults of the store throw.
 */
export async function answerForSerials(
  dependencies: FoundDevicesDependencies,
  questions: readonly SerialQuestion[],
  asked: Asked,
): Promise<readonly (Decision | undefined)[]> {
  const { bySerial, rulesInForce, directoryOf } = await findOnlyOnes(dependencies, questions)
  const answers: (Decision | undefined)[] = []
  for (const { serial, request, user } of questions) {
    const device = bySerial.get(foldText(serial))
    if (device === undefined || !isOf(device, user)) {
      answers.push(undefined)
      continue
    }
    const { record } = device
    const question = questionOf(request, record.deviceId)
    const directory = directoryOf(request)
    const decision = await decideOne(dependencies, {
      ...{ question, record, directory, rulesInForce, asked },
    })
    answers.push(decision)
  }
  await reportIfDue(dependencies)
  return answers
}

/** The device of each number that has one; numbers that are found to have several are not asked for again. */
async function findOnlyOnes(
  dependencies: FoundDevicesDependencies,
  questions: readonly SerialQuestion[],
) {
  const requests = questions.map(({ request }) => request)
  let texts = [...new Set(questions.map(({ serial }) => foldText(serial)))].filter(isNumber)
  for (let reads = 1; ; reads += 1) {
    // Twice as many and one: where all of them are found, some number has three.
    const query = { by: 'serial', texts, most: 2 * texts.length + 1 } as const
    const facts = await findFactsBy(dependencies, query, requests)
    const { only, several } = sortOut(facts.found)
    if (facts.found.length < query.most) return { ...facts, bySerial: only }
    if (reads === MOST_READS) return { ...facts, bySerial: new Map<string, FoundRecord>() }
    texts = texts.filter((text) => !several.has(text))
  }
}

function isNumber(text: string): boolean {
  return text.trim() !== ''
}

function sortOut(found: readonly FoundRecord[]) {
  const only = new Map<string, FoundRecord>()
  const several = new Set<string>()
  for (const one of found) {
    if (only.has(one.name)) several.add(one.name)
    only.set(one.name, one)
  }
  for (const name of several) only.delete(name)
  return { only, several }
}

function isOf({ record }: FoundRecord, user: string): boolean {
  return record.owner === null || foldText(record.owner) === foldText(user)
}
