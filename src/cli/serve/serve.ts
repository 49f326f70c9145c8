import { COMMAND } from '../../base/command.ts'
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
    await untilAborted(stop)
    await service.close()
    return EXIT.done
  },
})

/** For a person at a terminal; programs read the log line. */
function welcome(url: string, publicUrl: string): string {
  return `
Countersign is at ${publicUrl} (listening on ${url}). Ctrl-C stops it. Next, in another terminal:

  ${COMMAND} simulate --url ${url} --devices 20
  ${COMMAND} clients create --name idp --scope access.evaluate

`
}
