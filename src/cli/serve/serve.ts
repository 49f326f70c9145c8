import { listSimulatorReferenceValues } from '../../simulator/virtual-enclave.ts'
import { type Command, readArguments } from '../framework/arguments.ts'
import { explainFault } from '../framework/explain-fault.ts'
import { DATA_OPTION, PORT_OPTION, readSettings } from '../framework/settings.ts'
import { listenForStop, untilAborted } from '../framework/signals.ts'

const OPTIONS = { ...DATA_OPTION, ...PORT_OPTION }

export const command: Command = {
  options: OPTIONS,
  help: `Usage: countersign serve [--port N] [--data DIR]

  --port N     listen on this port (PORT; 8080; 0 picks a free one)
  --data DIR   keep the embedded database and the secret here (DATA_DIR; ./data)

With DATABASE_URL the service uses PostgreSQL; run 'countersign migrate' on it first.
All settings are environment variables: see the table in the README.
Stops on SIGTERM or Ctrl-C after finishing the requests under way.
Exit status: 0 stopped when asked to, 1 could not start.
`,
  async run(args) {
    const { values } = readArguments(args, OPTIONS)
    const config = await readSettings(values)
    const stop = listenForStop()
    // Loaded after the settings are known to be right: it is most of what there is.
    const { startNodeService } = await import('../../compose/node-service.ts')
    const service = await startNodeService(config, {
      simulatedHardware: listSimulatorReferenceValues(),
    }).catch((error) => {
      throw explainFault(error, config)
    })
    if (process.stdout.isTTY) process.stderr.write(welcome(service.url, config.publicUrl))
    await untilAborted(stop)
    await service.close()
    return 0
  },
}

/** For a person at a terminal; programs read the log line. */
function welcome(url: string, publicUrl: string): string {
  return `
Countersign is at ${publicUrl} (listening on ${url}). Ctrl-C stops it. Next, in another terminal:

  countersign simulate --url ${url} --devices 20
  countersign clients create --name idp --scope access.evaluate

`
}
