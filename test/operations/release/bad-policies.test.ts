import { policyWith } from './documents.ts'
import { describeScenarios, LARGE } from './scenarios.ts'

describeScenarios([
  {
    name: 'a policy that denies everything',
    make: () => policyWith('attestation.enclaveSvn > 1000'),
    warnsOf: 2450,
  },
  {
    name: 'a policy that denies one label',
    devices: LARGE,
    make: () => policyWith('attestation.enclaveSvn > 1000', { when: '"field" in device.labels' }),
    warnsOf: 400,
  },
  {
    name: 'a policy that asks for a claim that no device was ever asked for',
    make: () => policyWith('attestation.bootRevListInfo != ""'),
    warnsOf: 2450,
  },
])
