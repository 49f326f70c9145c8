import type { KeyRing } from '../keys/key-ring.ts'
import type { SigningKey } from '../keys/signing-keys.ts'
import { type FirstKeyMaking, keysWithFirst, type Shared } from './key-use.ts'

export type CheckpointServices = {
  /** The key that signs checkpoints of the audit log now; makes the first one, if there is none. */
  readonly auditKey: () => Promise<SigningKey>
}

/** Checkpoints are signed by keys of their own, which begin with the first entry of the audit log. */
export function auditCheckpoints(
  keyRing: KeyRing,
  input: Shared & FirstKeyMaking,
): CheckpointServices {
  const use = 'audit-log'
  return {
    auditKey: async () => (await keysWithFirst(keyRing, input, use)).signingKey(use, input.clock()),
  }
}
