import { COMMAND } from '../../base/command.ts'
import { createRandomSource } from '../../base/random.ts'
import type { Config } from '../../config/config.ts'
import { makeFirstKey } from '../../keys/first-key.ts'
import { sealHeader, streamHeaderKeys } from '../../keys/stream-header.ts'
import { createReceiver, oktaReceiver } from '../../operations/signals/create-receiver.ts'
import { newStreamId } from '../../operations/signals/stream-id.ts'
import type { Store } from '../../store/store.ts'
import { EXIT } from '../framework/command.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { printJson, printText } from '../framework/output.ts'
import { openKeyMaking, readSecrets } from '../keys/key-making.ts'

export async function addOkta(
  store: Store,
  config: Config,
  { url, json }: { readonly url: string; readonly json: boolean },
): Promise<number> {
  const { issuer, sealingKeys, clock } = await openKeyMaking(store, config)
  const headerKeys = streamHeaderKeys(await readSecrets(config))
  const streamId = await createReceiver(
    {
      ...{ store, clock },
      newStreamId: () => newStreamId(createRandomSource()),
      sealAuthorization: (header, id) => sealHeader(headerKeys, header, id),
      async makeEventKey() {
        const use = 'security-event'
        const stored = await store.listSigningKeys()
        if (stored.some((key) => key.use === use)) return
        await makeFirstKey({ store, issuer, sealingKeys }, { use, stored, now: clock() })
      },
    },
    oktaReceiver(url),
    COMMAND_LINE,
  )
  if (streamId === undefined) {
    process.stderr.write(`${url} has a stream already: ${COMMAND} streams list\n`)
    return EXIT.refused
  }
  if (json) printJson({ stream_id: streamId })
  else {
    printText(`Stream  ${streamId}

Okta has to know ${issuer} as a provider of security events (docs/signals.md).
To try it: ${COMMAND} streams test ${streamId}\n`)
  }
  return EXIT.done
}
