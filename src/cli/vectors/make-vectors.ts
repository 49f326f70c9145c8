import { fromUtf8 } from '../../base/encoding.ts'
import { FIXED_SALT } from '../../simulator/chance.ts'
import { privateJwk } from '../../simulator/fixed-keys.ts'
import { listSimulatorReferenceValues } from '../../simulator/virtual-enclave.ts'
import { endorsementKey, keysOfDevice } from './fixed-device.ts'
import { type FixedService, serviceKeys, VECTORS_NOW, vectorsSecret } from './fixed-service.ts'
import { VECTORS_README } from './readme.ts'
import { RefusalBench } from './refusal-bench.ts'
import { ENROLMENT_REFUSALS } from './refusals/enrolment.ts'
import { EVIDENCE_REFUSALS } from './refusals/evidence.ts'
import { LOG_REFUSALS } from './refusals/log.ts'
import { MESSAGE_REFUSALS } from './refusals/message.ts'
import type { RefusalPlan } from './refusals/plan.ts'
import { SUBMISSION_REFUSALS } from './refusals/submission.ts'
import { type GoodRun, playRun, RUN_PLANS } from './runs.ts'
import { listValues } from './values.ts'

export const REFUSAL_PLANS: readonly RefusalPlan[] = [
  ...MESSAGE_REFUSALS,
  ...EVIDENCE_REFUSALS,
  ...LOG_REFUSALS,
  ...SUBMISSION_REFUSALS,
  ...ENROLMENT_REFUSALS,
]

/**
 * Makes all vectors at a service with an empty database: the text of each file by its path. Nothing is
 * left to chance, so that they are the same each time. `onFile` is told of each as it is made.
 */
export async function makeVectors(
  service: FixedService,
  onFile: (made: number, all: number) => void = () => {},
): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>()
  const all = 3 + RUN_PLANS.length + REFUSAL_PLANS.length
  const addText = (path: string, text: string) => {
    files.set(path, text)
    onFile(files.size, all)
  }
  const add = (path: string, content: object) => {
    addText(path, `${JSON.stringify(content, null, 2)}\n`)
  }
  addText('README.md', VECTORS_README)
  add('service.json', describeService(service))
  const runs = new Map<string, GoodRun>()
  for (const plan of RUN_PLANS) {
    const run = await playRun(service, plan)
    runs.set(run.name, run)
    add(`runs/${run.name}.json`, describeRun(run))
  }
  add('keys.json', describeKeys([...runs.keys()]))
  for (const plan of REFUSAL_PLANS) {
    add(`refused/${plan.name}.json`, await describeRefusal(service, { plan, runs }))
  }
  return files
}

function describeService({ settings }: FixedService): object {
  const { authority, attestation, deviceToken, enrolment } = serviceKeys()
  return {
    now: VECTORS_NOW.toISOString(),
    settings: { ...settings, SECRET_KEY: vectorsSecret() },
    reference_values: listSimulatorReferenceValues(),
    private_keys: {
      authority: privateJwk(authority),
      attestation_token: privateJwk(attestation),
      device_token: privateJwk(deviceToken),
      enrolment: privateJwk(enrolment),
    },
  }
}

function describeKeys(names: readonly string[]): object {
  const devices = names.map((name) => {
    const { attestation, request, enclaveSigning } = keysOfDevice(name)
    const keys = {
      attestation_key: privateJwk(attestation),
      request_key: privateJwk(request),
      secure_kernel_signing_key: privateJwk(enclaveSigning),
    }
    return [name, keys]
  })
  return {
    pss_salt: fromUtf8(FIXED_SALT),
    endorsement_key: privateJwk(endorsementKey()),
    devices: Object.fromEntries(devices),
  }
}

function describeRun({ name, shows, device, exchanges }: GoodRun): object {
  return { name, shows, values: listValues(device, exchanges), exchanges }
}

async function describeRefusal(
  service: FixedService,
  { plan, runs }: { readonly plan: RefusalPlan; readonly runs: ReadonlyMap<string, GoodRun> },
): Promise<object> {
  const { name, changed, status, code, where } = plan
  const bench = new RefusalBench(service, runs, name)
  await plan.send(bench)
  return { name, changed, refused: { status, code, where }, exchanges: bench.recorder.exchanges }
}
