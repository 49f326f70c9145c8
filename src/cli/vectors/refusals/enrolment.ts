import { createPublicKey } from 'node:crypto'
import { toBase64Url } from '../../../base/encoding.ts'
import { createAkAuthority } from '../../../simulator/ak-authority.ts'
import { fixedRsaKey } from '../../../simulator/fixed-keys.ts'
import { encodeTpmPublic } from '../../../simulator/tpm-encoding.ts'
import { endorsementKey, keysOfDevice } from '../fixed-device.ts'
import { VECTORS_NOW } from '../fixed-service.ts'
import type { RefusalBench } from '../refusal-bench.ts'
import type { RefusalPlan } from './plan.ts'

const RUN = 'enrolment'
const BEGIN = '/v1/enrolments'
const ACTIVATE = '/v1/enrolments/activate'

function bodyOf(bench: RefusalBench, step: 'enrolment' | 'activation'): Record<string, string> {
  return JSON.parse(bench.exchangeOf(step, RUN).request.body)
}

/** Begins as the good run does; what the TPM finds in the answer is not needed here. */
async function begin(bench: RefusalBench): Promise<{ readonly ticket: string }> {
  const begun = await bench.post(BEGIN, bodyOf(bench, 'enrolment'))
  return begun.answer.body as { readonly ticket: string }
}

/** Enrolment by credential activation. */
export const ENROLMENT_REFUSALS: readonly RefusalPlan[] = [
  {
    name: 'enrolment-by-strange-maker',
    changed: 'An authority that the service does not know certified the endorsement key.',
    ...{ status: 403, code: 'ek_certificate_refused', where: { member: 'ek_certificate' } },
    async send(bench) {
      const stranger = await createAkAuthority(VECTORS_NOW, fixedRsaKey('vectors: stranger'))
      const ek_certificate = toBase64Url(await stranger.endorse(createPublicKey(endorsementKey())))
      return bench.post(BEGIN, { ...bodyOf(bench, 'enrolment'), ek_certificate })
    },
  },
  {
    name: 'enrolment-of-any-key',
    changed: 'ak_public is of a key that is not restricted, and so signs whatever it is given.',
    ...{ status: 422, code: 'ak_refused', where: { member: 'ak_public' } },
    send(bench) {
      const ak_public = toBase64Url(encodeTpmPublic(keysOfDevice(RUN).attestation, false))
      return bench.post(BEGIN, { ...bodyOf(bench, 'enrolment'), ak_public })
    },
  },
  {
    name: 'activation-with-wrong-secret',
    changed: 'The secret is not the one of the credential.',
    ...{ status: 403, code: 'secret_wrong', where: { member: 'secret' } },
    async send(bench) {
      const { ticket } = await begin(bench)
      return bench.post(ACTIVATE, { ticket, secret: toBase64Url(new Uint8Array(32)) })
    },
  },
  {
    name: 'activation-twice',
    changed: 'The activation of the run enrolment is sent again.',
    ...{ status: 409, code: 'ticket_spent', where: { member: 'ticket' } },
    send: (bench) => bench.post(ACTIVATE, bodyOf(bench, 'activation')),
  },
]
