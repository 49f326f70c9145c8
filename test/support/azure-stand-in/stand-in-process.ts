import { readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { StandInProvider } from './provider.ts'
import { startAzure } from './stand-in.ts'

/**
 * The stand-in as a process: for a client whose trust in certificates is settled when it starts.
 * Arguments: where to write the authority's certificate, and a file with the TPM policy. Says where
 * everything is in one line of JSON, and does one command of JSON a line:
 * `{"do": "fail", "with": [{"kind": "hang"}]}`.
 */
const [caFile = '', policyFile = ''] = process.argv.slice(2)
const azure = await startAzure()
const provider = await azure.createProvider({ policy: readFileSync(policyFile, 'utf8') })
writeFileSync(caFile, azure.caPem)
say({
  provider: provider.url,
  policyHash: provider.policyHash(),
  environment: azure.environment([provider.url]),
})

type Command = {
  readonly do: 'fail' | 'recover' | 'rotateKeys' | 'expireLeaf' | 'setPolicy'
  readonly with?: readonly unknown[]
}

const ready = createInterface(process.stdin)
ready.on('line', (line) => {
  const command = JSON.parse(line) as Command
  const act = provider[command.do] as (...args: unknown[]) => ReturnType<StandInProvider['close']>
  void Promise.resolve(act(...(command.with ?? []))).then(() => say({ done: command.do }))
})
ready.on('close', () => process.exit())

function say(what: unknown): void {
  process.stdout.write(`${JSON.stringify(what)}\n`)
}
