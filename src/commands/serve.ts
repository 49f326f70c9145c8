import { startNodeService } from '../node.ts'
import { type Command, readArguments } from './arguments.ts'
import { readSettings, SETTING_OPTIONS } from './settings.ts'
import { untilStopped } from './signals.ts'

export const command: Command = {
  summary: 'run the service',
  help: `Usage: countersign serve [--port N] [--data DIR]

  --port N     listen on this port (PORT; 8080; 0 picks a free one)
  --data DIR   keep the embedded database and the secret here (DATA_DIR; ./data)

With DATABASE_URL the service uses PostgreSQL; run 'countersign migrate' on it first.
All settings are environment variables: see the table in the README.
Stops on SIGTERM or Ctrl-C after finishing the requests under way.
`,
  async run(args) {
    const { values } = readArguments(args, SETTING_OPTIONS)
    const service = await startNodeService(await readSettings(values))
    await untilStopped()
    await service.close()
    return 0
  },
}
