import { type AgentOptions, AttestationAgent } from '../../simulator/agent.ts'
import type { VirtualDevice, VirtualDeviceOptions } from '../../simulator/virtual-device.ts'
import { Recorder, type VectorExchange } from './exchange.ts'
import { startFixedDevice } from './fixed-device.ts'
import { type FixedService, VECTORS_URL } from './fixed-service.ts'

/** A device that attests or enrols as it should, from the first request to the last answer. */
export type GoodRun = {
  readonly name: string
  /** One sentence: what is shown. */
  readonly shows: string
  readonly device: VirtualDevice
  readonly exchanges: readonly VectorExchange[]
}

type RunPlan = {
  readonly name: string
  readonly shows: string
  readonly device: (service: FixedService) => Partial<VirtualDeviceOptions>
  readonly agent?: Pick<AgentOptions, 'requestVersion' | 'binding'>
  readonly enrols?: true
}

/** Every way in which a device can attest, and enrolment. */
export const RUN_PLANS: readonly RunPlan[] = [
  {
    name: 'v1-vbs',
    shows: 'Version 1 (attReq) with an enclave report, which alone binds the request key.',
    device: ({ authority }) => ({ issuer: authority.issue }),
    agent: { requestVersion: 1 },
  },
  {
    name: 'v2-basic',
    shows: 'Version 2 (attReqV2) without an enclave: recorded, and not trusted for that reason.',
    device: ({ authority }) => ({ issuer: authority.issue, enclave: null }),
  },
  {
    name: 'v2-vbs',
    shows: 'Version 2 with an enclave report; the quote binds the request key.',
    device: ({ authority }) => ({ issuer: authority.issue }),
  },
  {
    name: 'v2-vbs-certify',
    shows: 'Version 2 with a request key in the TPM, which certifies it (tpm_certify).',
    device: ({ authority }) => ({ issuer: authority.issue }),
    agent: { binding: 'certify' },
  },
  {
    name: 'enrolment',
    shows: 'Enrolment by credential activation, which ends with the aik_cert of what follows.',
    device: ({ authority }) => ({ endorser: authority.endorse }),
    enrols: true,
  },
]

/** Lets a device do at the service what the plan says. Throws where it is not as good as planned. */
export async function playRun(service: FixedService, plan: RunPlan): Promise<GoodRun> {
  const { name, shows } = plan
  const recorder = new Recorder(service, name)
  const agent = new AttestationAgent({
    device: await startFixedDevice(name, plan.device(service)),
    baseUrl: VECTORS_URL,
    now: () => recorder.at,
    fetch: recorder.fetch,
    maxAttempts: 1,
    ...plan.agent,
  })
  requireOk(name, await (plan.enrols ? agent.enrol() : agent.attest()))
  return { name, shows, device: agent.device, exchanges: recorder.exchanges }
}

function requireOk(name: string, result: { readonly ok: boolean; readonly failure?: unknown }) {
  if (result.ok) return
  throw new Error(`the run ${name} was refused: ${JSON.stringify(result.failure)}`)
}
