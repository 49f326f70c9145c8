import { join } from 'node:path'
import { createLog } from '../../base/log.ts'
import type { Config } from '../../config/config.ts'
import { openKeyRing, signingSealingKeys } from '../../keys/key-ring.ts'
import { type MasterSecrets, masterSecretsOf } from '../../keys/master-secret.ts'
import { loadSecretFile, SECRET_FILE } from '../../keys/secret-file.ts'
import type { KeyMaking } from '../../operations/keys/rotate-key.ts'
import type { Store } from '../../store/store.ts'

/**
 * What a command makes keys with: the secret of the service, which has to open the keys that are there.
 * A key under another secret would be one that no process can use. Throws `MasterSecretMismatchError`.
 */
export async function openKeyMaking(
  store: Store,
  config: Config,
): Promise<KeyMaking & { readonly store: Store; readonly clock: () => Date }> {
  const { publicUrl: issuer } = config
  const secrets = await readSecrets(config)
  const clock = () => new Date()
  const log = createLog({ level: 'silent', write: () => {}, clock })
  await openKeyRing({ store, secrets, issuer, log, clock })
  return { store, clock, issuer, sealingKeys: signingSealingKeys(secrets) }
}

/** The secret of the service, and the one before it: of the settings, or beside the data. */
export async function readSecrets({
  secretKey,
  secretKeyPrevious,
  dataDir,
}: Config): Promise<MasterSecrets> {
  const path = join(dataDir, SECRET_FILE)
  const current = secretKey ?? (await loadSecretFile(path))
  if (current === undefined) {
    throw new Error(`the secret of the service is needed: SECRET_KEY, or ${path}`)
  }
  return masterSecretsOf(current, secretKeyPrevious)
}
