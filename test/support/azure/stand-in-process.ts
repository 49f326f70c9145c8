import { writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { BUILT_IN_POLICY } from '../../../src/verifier/built-in-policy.ts'
import type { Outage } from './outages.ts'
import { startAzure } from './stand-in.ts'

/**
 * The stand-in as a process of its own, for clients whose trust in certificates is settled when
 * they start (workerd) and for benchmarks: `node stand-in-process.ts CA-FILE [PROVIDERS]`.
 *
 * Writes the certificate of its authority into the file, then one line of JSON that says where
 * everything is, and obeys one command of JSON a line. A command with an `id` is answered by a
 * line `{"id": …, "result": …}` once it is done. Ends with its input.
 */
type Command = {
  readonly id?: number | string
  /** Index of the provider. */
  readonly provider?: number
  readonly do: string
  readonly args?: readonly unknown[]
}

const [caFile, count = '1'] = process.argv.slice(2)
if (caFile === undefined) throw new TypeError('usage: stand-in-process.ts CA-FILE [PROVIDERS]')

const azure = await startAzure()
const policy = BUILT_IN_POLICY
const create = () => azure.createProvider({ policy })
const providers = await Promise.all(Array.from({ length: Number(count) }, create))
writeFileSync(caFile, azure.caPem)
const { authorityHost, tenantId, clientId, clientSecret } = azure
const urls = providers.map(({ url }) => url)
const client = { authorityHost, tenantId, clientId, clientSecret }
print({
  ...client,
  providers: urls,
  attestationPolicyHash: providers[0]?.attestationPolicyHash(),
  caFile,
})

const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => {
  if (line.trim() !== '') obey(JSON.parse(line) as Command)
})
lines.on('close', () => process.exit(0))

function obey(command: Command): void {
  const result = act(command)
  if (command.id !== undefined) print({ id: command.id, ...result })
}

function act({ provider: index = 0, do: name, args = [] }: Command) {
  const provider = providers[index]
  if (provider === undefined) return { error: `no provider ${index}` }
  try {
    switch (name) {
      case 'fail':
        return { result: provider.fail(args[0] as Outage, readOptions(args[1])) ?? null }
      case 'recover':
        return { result: provider.recover() ?? null }
      case 'rotateKeys':
        return { result: provider.rotateKeys() ?? null }
      case 'expireLeaf':
        return { result: provider.expireLeaf() ?? null }
      case 'setPolicy':
        return { result: provider.setPolicy(String(args[0])) ?? null }
      case 'attestationPolicyHash':
        return { result: provider.attestationPolicyHash() }
      case 'requests':
        return { result: provider.requests }
      case 'failEntra':
        return { result: azure.failEntra(args[0] as Outage, readOptions(args[1])) ?? null }
      case 'recoverEntra':
        return { result: azure.recoverEntra() ?? null }
    }
    return { error: `cannot ${name}` }
  } catch (error) {
    return { error: String(error) }
  }
}

/** A regular expression comes as its source. */
function readOptions(given: unknown) {
  const { path, times } = (given ?? {}) as { path?: string; times?: number }
  return {
    ...(path === undefined ? {} : { path: new RegExp(path) }),
    ...(times === undefined ? {} : { times }),
  }
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}
