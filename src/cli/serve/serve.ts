import { COMMAND } from '../../base/command.ts'
import type { Services } from '../../compose/services.ts'
import { developerContradictions } from '../../config/developer.ts'
import { ConfigError } from '../../config/node-config.ts'
import { listSimulatorReferenceValues } from '../../simulator/virtual-enclave.ts'
import { EXIT, verb } from '../framework/command.ts'
import { explainFault } from '../framework/explain-fault.ts'
import { flag, text } from '../framework/options.ts'
import { readSettings } from '../framework/settings.ts'
import { listenForStop, untilAborted } from '../framework/signals.ts'

export const command = verb({
  about: `With DATABASE_URL the service uses PostgreSQL; run '${COMMAND} migrate' on it first.
All settings are environment variables: see docs/configuration.md.
It stops on SIGTERM or Ctrl-C, after it has finished the requests under way.`,
  options: {
    port: text('N', 'listen on this port (PORT; 8080; 0 picks a free one)'),
    data: text('DIR', 'keep the embedded database and the secret here (DATA_DIR; ./data)'),
    developer: flag(
      'DANGER: tell agents whose evidence is refused all that was compared; refused in production',
    ),
  },
  json: { none: 'it writes a log, one JSON object a line' },
  async run(values) {
    const config = await readSettings(values)
    const { developer } = values
    const mistakes = developer ? developerContradictions(config) : []
    if (mistakes.length > 0) throw new ConfigError(mistakes)
    const stop = listenForStop()
    // Loaded after the settings are known to be right: it is most of what there is.
    const { startNodeService } = await import('../../compose/node-service.ts')
    const service = await startNodeService(config, {
      simulatedHardware: listSimulatorReferenceValues(),
      developer,
      signal: stop,
    }).catch((error) => {
      // Told to stop while it waited for its database.
      if (stop.aborted) return undefined
      throw explainFault(error, config)
    })
    if (service === undefined) return EXIT.done
    if (process.stdout.isTTY) process.stderr.write(welcome(service.url, config.publicUrl))
    process.stderr.write(await tellOfLink(service.services))
    await untilAborted(stop)
    await service.close()
    return EXIT.done
  },
})

/**
 * How whoever starts the service signs in to its console, where nothing else lets them in. Never in the log, which
 * others keep and read: the link is a secret until it is used.
 */
async function tellOfLink({ config, sealing, clock, random }: Services): Promise<string> {
  const { mayUseLinks } = await import('../../compose/people.ts')
  if (config.database.kind !== 'embedded' || !mayUseLinks(config)) return ''
  const { makeSignInLink } = await import('../../operations/people/link.ts')
  const { publicUrl } = config
  const keys = { link: sealing.consoleLink }
  const { url, until } = await makeSignInLink({ keys, publicUrl, clock, random })
  return `Console: open this once, until ${until.toISOString().slice(11, 16)} UTC. Another one: ${COMMAND} people link

  ${url}

`
}

/** For a person at a terminal; programs read the log line. */
function welcome(url: string, publicUrl: string): string {
  return `
Countersign is at ${publicUrl} (listening on ${url}). Ctrl-C stops it. Next, in another terminal:

  ${COMMAND} simulate --url ${url} --devices 20
  ${COMMAND} clients create --name idp --scope access.evaluate

`
}
