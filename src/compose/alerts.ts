import type { AlarmServices } from '../http/admin/services.ts'
import { openWebhookSecrets, sealWebhookSecrets } from '../keys/webhook-secrets.ts'
import type { WebhookDependencies } from '../operations/alerts/manage-webhooks.ts'
import type { ListExpiriesDependencies } from '../operations/expiry/list-expiries.ts'
import { newStreamId } from '../operations/signals/stream-id.ts'
import type { Services } from './services.ts'

/** What is read of all that ends: settings, the database, and the key sets that this process has at hand. */
export function expiryServices({
  store,
  rules,
  config,
  clock,
  keySets,
}: Pick<Services, 'store' | 'rules' | 'config' | 'clock' | 'keySets'>): ListExpiriesDependencies {
  return { store, rules, config, clock, providerKeys: keySets.known }
}

/** What makes and changes destinations of alarms. */
export function webhookServices({
  store,
  random,
  clock,
  sealing: { webhook: keys },
}: Pick<Services, 'store' | 'random' | 'clock' | 'sealing'>): WebhookDependencies {
  return {
    ...{ store, random, clock, newStreamId: () => newStreamId(random) },
    webhookSecrets: {
      seal: (secrets, id) => sealWebhookSecrets(keys, secrets, id),
      open: (sealed, id) => openWebhookSecrets(keys, sealed, id),
    },
  }
}

/** What the routes of alarms and their destinations work with. */
export function alarmServices(services: Services): AlarmServices {
  return { expiry: expiryServices(services), webhooks: webhookServices(services) }
}
