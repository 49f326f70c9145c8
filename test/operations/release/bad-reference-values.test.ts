import { agent } from '../../policy/healthy-device.ts'
import { PROVIDER, toEntry } from './fleet.ts'
import { describeScenarios, values } from './scenarios.ts'

describeScenarios([
  {
    name: 'reference values that raise a minimum version too early',
    make: (fleet) => values(fleet, { enclaves: [agent({ minimum_svn: 7 })] }),
    warnsOf: 1634,
  },
  {
    name: 'reference values that drop the pinned Azure policy',
    make: (fleet) =>
      values(fleet, {
        azure_policies: [{ issuer: PROVIDER, hash: Buffer.alloc(32, 1).toString('base64url') }],
      }),
    warnsOf: 1200,
  },
  {
    name: 'reference values that remove a trust anchor',
    make: (fleet) => values(fleet, { trust_anchors: [toEntry(fleet.anchors.kept)] }),
    warnsOf: 625,
  },
  {
    name: 'reference values in which a root expires soon',
    make: (fleet) =>
      values(fleet, {
        trust_anchors: [
          toEntry(fleet.anchors.kept),
          { ...toEntry(fleet.anchors.other), valid_until: '2026-03-02T08:20:00Z' },
        ],
      }),
    warnsOf: 625,
  },
])
