import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { parseReferenceValues } from '../../src/appraisal/reference-values.ts'
import {
  RECOMMENDED_POLICY,
  RECOMMENDED_POLICY_HASH,
} from '../../src/azure/provider-policy/recommended.ts'
import { COMMAND } from '../../src/base/command.ts'
import { command } from '../../src/cli/azure/azure.ts'
import { confirm } from '../../src/cli/framework/confirm.ts'
import { COMMAND_LINE } from '../../src/cli/framework/open-database.ts'
import { UsageError } from '../../src/cli/framework/usage-error.ts'
import { ensureDocuments } from '../../src/compose/first-documents.ts'
import { policyHashOf } from '../../src/evidence/token/attestation-token.ts'
import { BASELINE_POLICY } from '../../src/policy/document/baseline.ts'
import { openEmbeddedStore } from '../../src/store/drivers/embedded.ts'
import type { Store } from '../../src/store/store.ts'
import { pemOfKey } from '../azure/policy/provider-fixture.ts'
import type { StandInProvider } from '../support/azure/provider.ts'
import { type AzureStandIn, startAzure, trustStandIn } from '../support/azure/stand-in.ts'
import { issueCertificate } from '../support/certificates.ts'
import { makeDataDirectory } from '../support/data-directory.ts'
import type { Json } from '../support/json.ts'
import { putInForce } from '../support/put-in-force.ts'
import { enforce, FLEET_VALUES, recordFleet } from '../support/recorded-fleet.ts'
import { type Called, callCommand } from './call-command.ts'

/** An administrator at a provider that behaves as Azure's do, with the true SDKs between them. */
const OLD_POLICY = `version=1.0;
authorizationrules { => permit(); };
issuancerules {
\t[type=="aikValidated"] => issue(type="aikValidated", value=true);
};
`
const OLD_HASH = policyHashOf(OLD_POLICY)

let azure: AzureStandIn
let provider: StandInProvider
let folder: string
let data: string
let store: Store

beforeAll(async () => {
  azure = await startAzure()
  trustStandIn(azure)
  provider = await azure.createProvider()
  folder = mkdtempSync(join(tmpdir(), 'countersign-azure-'))
  data = join(folder, 'data')
  await makeDataDirectory(data)
  // As a running service does: the commands are its guests.
  store = await openEmbeddedStore(data)
})
afterAll(async () => {
  await store.close()
  await azure.close()
  rmSync(folder, { recursive: true, maxRetries: 5 })
})
beforeEach(async () => {
  for (const [name, value] of Object.entries(azure.environment([provider.url]))) {
    vi.stubEnv(name, value)
  }
  provider.setPolicy(OLD_POLICY)
  await bringIntoForce({ name: 'empty', enclaves: [] })
})
afterEach(() => {
  provider.recover()
  azure.recoverEntra()
  vi.unstubAllEnvs()
})

async function bringIntoForce(body: Json): Promise<void> {
  const values = parseReferenceValues(body)
  if (!values.ok) throw new TypeError(values.failure.reason)
  const { hash } = values.value
  const now = new Date()
  await ensureDocuments(store, now)
  const by = { author: 'test', reason: 'test' }
  await putInForce(store, { kind: 'reference-values', hash, body, now, ...by })
}

const pin = (hash: string, issuer = provider.url) => ({ issuer, hash })
const inForce = async (): Promise<Json> => (await store.activeDocument('reference-values'))?.body
const pinnedHashes = async () =>
  ((await inForce()).azure_policies ?? []).map((one: { hash: string }) => one.hash)

const azurePolicy = (verb: string, ...args: readonly string[]): Promise<Called> =>
  callCommand(command, ['policy', verb, ...args, ...(verb === 'diff' ? [] : ['--data', data])])

async function azureJson(verb: string, ...args: readonly string[]): Promise<Json> {
  const { code, stdout } = await azurePolicy(verb, ...args, '--json')
  expect(code).toBe(0)
  return JSON.parse(stdout)
}

function save(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const published = () => provider.requests.filter(({ method }) => method === 'PUT')

describe('azure policy show', () => {
  test('prints the policy in force, its hash, and what to do as it is not pinned', async () => {
    const { code, stdout } = await azurePolicy('show')
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^provider +${provider.url}\npolicy hash +${OLD_HASH}\n`))
    expect(stdout).toContain(OLD_POLICY.trimEnd())
    expect(stdout).toMatch(/^pinned +no$/m)
    expect(stdout).toContain('refused (policy_not_pinned)')
    expect(stdout).toContain(`${COMMAND} azure policy pin --provider ${provider.url}`)
    expect(stdout).toMatch(/It does not issue aikPubHash, /)
    expect(stdout).toContain('claims that a client makes up: line 4.')
  })

  test('as JSON, for a pinned one', async () => {
    await bringIntoForce({ enclaves: [], azure_policies: [pin(OLD_HASH)] })
    expect(await azureJson('show')).toEqual({
      provider: provider.url,
      hash: OLD_HASH,
      text: OLD_POLICY,
      signed: false,
      pinned: true,
      recommended: false,
      pins: [OLD_HASH],
    })
    expect((await azurePolicy('show')).stdout).not.toContain('policy_not_pinned')
  })

  test('a pin of another provider does not count', async () => {
    const other = 'https://fabrikam.weu.attest.azure.net'
    await bringIntoForce({ enclaves: [], azure_policies: [pin(OLD_HASH, other)] })
    expect((await azureJson('show')).pinned).toBe(false)
  })

  test('text of a policy cannot take over the terminal', async () => {
    provider.setPolicy(`${OLD_POLICY}// \u001b[2J\u202e`)
    expect((await azurePolicy('show')).stdout).toContain('// \\u001b[2J\\u202e')
  })

  test('a provider without a policy', async () => {
    const fresh = await azure.createProvider()
    const { stdout } = await azurePolicy('show', '--provider', fresh.url)
    expect(stdout).toContain('The provider has no TPM policy')
    expect(stdout).toContain(`${COMMAND} azure policy set --pin --provider ${fresh.url}`)
    const [json] = [await azureJson('show', '--provider', `${fresh.url}/`)]
    expect(json).toMatchObject({ hash: null, text: null, pinned: false })
    await expect(azurePolicy('pin', '--provider', fresh.url)).rejects.toThrow(
      'no TPM policy to pin',
    )
  })

  test('--recommended prints what comes with Countersign, and asks nobody', async () => {
    vi.stubEnv('VERIFIERS', 'built-in')
    const { stdout } = await azurePolicy('show', '--recommended')
    expect(stdout).toBe(RECOMMENDED_POLICY)
    expect((await azureJson('show', '--recommended')).hash).toBe(RECOMMENDED_POLICY_HASH)
  })
})

describe('azure policy diff', () => {
  test('ends with 4 and shows the lines where the policies differ', async () => {
    const { code, stdout } = await azurePolicy('diff')
    expect(code).toBe(4)
    expect(stdout).toContain(`--- ${provider.url} (${OLD_HASH})\n`)
    expect(stdout).toContain(`+++ the recommended policy (${RECOMMENDED_POLICY_HASH})\n`)
    expect(stdout).toMatch(/^- version=1\.0;$/m)
    expect(stdout).toMatch(/^\+ version=1\.2;$/m)
  })

  test('ends with 0 where there is no difference', async () => {
    const same = await azurePolicy('diff', '--file', save('old.txt', OLD_POLICY))
    expect(same).toMatchObject({ code: 0, stdout: expect.stringContaining(OLD_HASH) })
    provider.setPolicy(RECOMMENDED_POLICY)
    expect(await azureJson('diff')).toMatchObject({ same: true, diff: [] })
  })
})

describe('azure policy set', () => {
  test('refuses a policy that is not pinned, before anything is published', async () => {
    const before = published().length
    const { code, stdout } = await azurePolicy('set', '--yes')
    expect(code).toBe(3)
    expect(stdout).toContain('Not published: this policy is not pinned')
    expect(stdout).toContain(`policy pin --provider ${provider.url} --recommended`)
    expect(published()).toHaveLength(before)
    expect(provider.attestationPolicyHash()).toBe(OLD_HASH)
    expect(await pinnedHashes()).toEqual([])
    const json = await azurePolicy('set', '--yes', '--json')
    expect(json.code).toBe(3)
    expect(JSON.parse(json.stdout)).toMatchObject({ published: false, reason: 'not_pinned' })
  })

  test('--pin pins beside the old one, publishes, and says how to end the old one', async () => {
    await bringIntoForce({ enclaves: [], azure_policies: [pin(OLD_HASH)] })
    const { code, stdout } = await azurePolicy('set', '--pin', '--yes')
    expect(code).toBe(0)
    expect(provider.attestationPolicyHash()).toBe(RECOMMENDED_POLICY_HASH)
    expect(await inForce()).toEqual({
      enclaves: [],
      azure_policies: [pin(OLD_HASH), { ...pin(RECOMMENDED_POLICY_HASH), name: 'recommended' }],
    })
    expect(stdout).toMatch(/^\+ version=1\.2;$/m)
    expect(stdout).toContain(`Published to ${provider.url}, and read back.`)
    expect(stdout).toContain(`unpin ${OLD_HASH} --provider ${provider.url}`)
  })

  test('after pin, in the order that is advised', async () => {
    await azurePolicy('pin', '--recommended')
    expect(await azureJson('set', '--yes')).toEqual({
      provider: provider.url,
      hash: RECOMMENDED_POLICY_HASH,
      published: true,
      pinned: true,
    })
    expect((await azureJson('show')).recommended).toBe(true)
  })

  test('twice publishes once', async () => {
    await azurePolicy('set', '--pin', '--yes')
    const before = published().length
    const { code, stdout } = await azurePolicy('set', '--pin', '--yes')
    expect(code).toBe(0)
    expect(stdout).toContain('has the recommended policy already')
    expect(published()).toHaveLength(before)
    expect(await pinnedHashes()).toEqual([RECOMMENDED_POLICY_HASH])
  })

  test('a provider that cannot answer leaves everything as it was', async () => {
    provider.fail({ kind: 'status', status: 503 })
    await expect(azurePolicy('set', '--pin', '--yes')).rejects.toThrow('provider_failed')
    expect(await pinnedHashes()).toEqual([])
    provider.recover()
    expect((await azureJson('show')).hash).toBe(OLD_HASH)
  })

  test('a policy of your own is looked through: a broken one goes nowhere', async () => {
    const broken = save('broken.txt', OLD_POLICY.replace('==', '='))
    const before = provider.requests.length
    await expect(azurePolicy('set', '--file', broken, '--pin', '--yes')).rejects.toThrow(
      `${broken}:4: expected a comparison (==), found '=' (azure_policy_malformed)`,
    )
    expect(provider.requests).toHaveLength(before)
    const weak = save('weak.txt', `${OLD_POLICY}// mine\n`)
    const { code, stdout } = await azurePolicy('set', '--file', weak, '--pin', '--yes')
    expect(code).toBe(0)
    expect(stdout).toMatch(/It does not issue aikPubHash/)
    expect(provider.attestationPolicyHash()).toBe(policyHashOf(`${OLD_POLICY}// mine\n`))
  })

  test('asks nobody where nobody is', async () => {
    await expect(azurePolicy('set', '--pin')).rejects.toThrow('nobody can be asked here: say --yes')
    expect(provider.attestationPolicyHash()).toBe(OLD_HASH)
    expect(await pinnedHashes()).toEqual([])
  })

  test('signs for an isolated provider, which takes no other', async () => {
    const signer = await issueCertificate({ subject: 'policy signer', key: { kind: 'rsa' } })
    const isolated = await azure.createProvider({ policySigners: [signer.der] })
    const key = save('key.pem', await pemOfKey(signer.keys.privateKey))
    const certificate = save('certificate.pem', signer.pem)
    const to = ['--provider', isolated.url, '--pin', '--yes']
    // Pinned first, published second: what is left of a failure does no harm.
    await expect(azurePolicy('set', ...to)).rejects.toThrow(
      /--key and --certificate .*\(provider_refused, \w+\); its pin stays/,
    )
    expect(await pinnedHashes()).toEqual([RECOMMENDED_POLICY_HASH])
    const { code } = await azurePolicy('set', ...to, '--key', key, '--certificate', certificate)
    expect(code).toBe(0)
    expect(await azureJson('show', '--provider', isolated.url)).toMatchObject({
      signed: true,
      pinned: true,
      hash: RECOMMENDED_POLICY_HASH,
    })
  })
})

describe('azure policy pin', () => {
  test('pins the policy in force, with an entry in the audit log, once', async () => {
    const { code, stdout } = await azurePolicy('pin', '--name', 'ours')
    expect(code).toBe(0)
    expect(stdout).toContain(`${OLD_HASH} is pinned for ${provider.url}.`)
    const active = await store.activeDocument('reference-values')
    expect(active).toMatchObject({
      author: COMMAND_LINE,
      reason: `pin Azure policy ${OLD_HASH} of ${provider.url}`,
      body: { name: 'empty', enclaves: [], azure_policies: [{ ...pin(OLD_HASH), name: 'ours' }] },
    })
    expect((await azurePolicy('pin')).stdout).toContain('already: nothing was changed')
    expect((await store.activeDocument('reference-values'))?.hash).toBe(active?.hash)
    expect(await azureJson('pin')).toMatchObject({ changed: false, pins: [OLD_HASH] })
  })

  test('pins a file before it is published, asking no provider', async () => {
    const before = provider.requests.length
    const file = save('next.txt', `${OLD_POLICY}// next\n`)
    const { stdout } = await azurePolicy('pin', '--file', file)
    expect(stdout).toContain(`policy set --provider ${provider.url} --file ${file}`)
    expect(await pinnedHashes()).toEqual([policyHashOf(readFileSync(file, 'utf8'))])
    expect(provider.requests).toHaveLength(before)
  })

  test('a pin that has ended is no pin', async () => {
    const ended = { ...pin(OLD_HASH), valid_until: '2020-01-01T00:00:00Z' }
    await bringIntoForce({ enclaves: [], azure_policies: [ended] })
    expect((await azureJson('show')).pinned).toBe(false)
    expect(await azureJson('pin')).toMatchObject({ changed: true, pins: [OLD_HASH] })
  })

  test('unpin takes one away, but not the one in force', async () => {
    const policies = [pin(OLD_HASH), pin(RECOMMENDED_POLICY_HASH)]
    await bringIntoForce({ enclaves: [], azure_policies: policies })
    const { stdout } = await azurePolicy('unpin', RECOMMENDED_POLICY_HASH)
    expect(stdout).toContain('is not pinned any more')
    expect(await pinnedHashes()).toEqual([OLD_HASH])
    const again = await azurePolicy('unpin', RECOMMENDED_POLICY_HASH)
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('was not pinned') })

    await expect(azurePolicy('unpin', OLD_HASH)).rejects.toThrow('is in force')
    provider.fail({ kind: 'refuse_connections' })
    await expect(azurePolicy('unpin', OLD_HASH)).rejects.toThrow('cannot be seen')
    expect(await pinnedHashes()).toEqual([OLD_HASH])
    const forced = await azurePolicy('unpin', OLD_HASH, '--force')
    expect(forced.stdout).toContain('all of its tokens are refused')
    expect(await inForce()).toEqual({ enclaves: [] })
  })

  test('unpin takes no access away but of as many devices as somebody has said', async () => {
    const other = await azure.createProvider()
    const now = new Date()
    const values = {
      ...FLEET_VALUES,
      azure_policies: [pin(OLD_HASH, other.url), pin(RECOMMENDED_POLICY_HASH, other.url)],
    }
    await enforce(store, 'policy', { body: BASELINE_POLICY, now })
    await bringIntoForce(values)
    const change = { issuer: other.url, attestationPolicyHash: RECOMMENDED_POLICY_HASH }
    await recordFleet(store, { devices: 3, now, change })
    vi.stubEnv('VERIFIERS', other.url)
    const remove = (hash: string, ...args: readonly string[]) =>
      azurePolicy('unpin', hash, '--force', ...args)
    // No device has attested under this one.
    expect((await remove(OLD_HASH)).code).toBe(0)
    const refused = await remove(RECOMMENDED_POLICY_HASH)
    expect(refused.code).toBe(3)
    expect(refused.stdout).toContain('--accept-denials 3')
    const asJson = await remove(RECOMMENDED_POLICY_HASH, '--accept-denials', '2', '--json')
    expect(asJson.code).toBe(3)
    expect(JSON.parse(asJson.stdout)).toMatchObject({ changed: false, newly_denied: 3 })
    expect(await pinnedHashes()).toEqual([RECOMMENDED_POLICY_HASH])
    const forced = await remove(RECOMMENDED_POLICY_HASH, '--accept-denials', '3')
    expect(forced.code).toBe(0)
    expect(await pinnedHashes()).toEqual([])
  })
})

describe('what stands in the way is said', () => {
  test.each([
    ['a provider that is not there', 'refuse_connections', 'provider_unreachable'],
    ['a provider that hangs up', 'cut', 'provider_unreachable'],
  ] as const)('%s', async (_, kind, reason) => {
    provider.fail({ kind })
    await expect(azurePolicy('show')).rejects.toThrow(reason)
  })

  test('a secret that Entra refuses', async () => {
    vi.stubEnv('AZURE_CLIENT_SECRET', 'wrong')
    await expect(azurePolicy('show')).rejects.toThrow(
      /look at AZURE_CREDENTIAL .*Attestation Reader.*\(provider_credential_refused\)/,
    )
  })

  test('no provider, several, and one that is no URL', async () => {
    vi.stubEnv('VERIFIERS', 'built-in')
    await expect(azurePolicy('show')).rejects.toThrow('no provider is configured')
    vi.stubEnv('VERIFIERS', `${provider.url},https://a.weu.attest.azure.net`)
    await expect(azurePolicy('show')).rejects.toThrow('say which with --provider')
    for (const url of ['contoso', 'http://contoso.eus.attest.azure.net', `${provider.url}/x`]) {
      await expect(azurePolicy('show', '--provider', url)).rejects.toThrow(UsageError)
    }
  })

  test.each([
    [['policy', 'reset']],
    [['show']],
    [['policy', 'show', '--yes']],
    [['policy', 'diff', '--pin']],
    [['policy', 'set', '--json']],
    [['policy', 'set', '--remove', 'x']],
    [['policy', 'set', '--key', 'x']],
    [['policy', 'set', '--file', '']],
    [['policy', 'pin', '--yes']],
    [['policy', 'pin', '--file', 'x', '--recommended']],
    [['policy', 'unpin']],
    [['policy', 'unpin', 'x']],
    [['policy', 'pin', '--accept-denials', '3']],
    [['policy', 'unpin', OLD_HASH, '--accept-denials', 'some']],
    [['policy', 'unpin', OLD_HASH, '--name', 'x']],
  ])('wrong usage: %j', async (args) => {
    await expect(callCommand(command, args)).rejects.toThrow(UsageError)
  })

  test('files that are not what they should be', async () => {
    const missing = join(folder, 'nowhere')
    await expect(azurePolicy('diff', '--file', missing)).rejects.toThrow(
      /cannot read .*nowhere \(ENOENT\)/,
    )
    const binary = join(folder, 'binary')
    writeFileSync(binary, Buffer.from([0xff, 0xfe]))
    await expect(azurePolicy('diff', '--file', binary)).rejects.toThrow('is not UTF-8')
    const text = join(folder, 'text')
    writeFileSync(text, 'hello')
    const pair = ['--key', text, '--certificate', text]
    await expect(azurePolicy('set', '--yes', ...pair)).rejects.toThrow('not one in PEM')
    const half = ['--key', missing, '--certificate', binary]
    await expect(azurePolicy('set', '--yes', ...half)).rejects.toThrow(/cannot read .*nowhere/)
  })
})

describe('the question', () => {
  const ask = async (typed: string | undefined) => {
    const input = Object.assign(new PassThrough(), { isTTY: true })
    const output = new PassThrough()
    const answer = confirm('Publish?', { input, output })
    input.end(typed)
    return { said: await answer, asked: String(output.read()) }
  }

  test('is answered by yes and nothing else', async () => {
    expect(await ask('y\n')).toEqual({ said: true, asked: 'Publish? [y/N] ' })
    for (const typed of ['Y\n', 'yes\n', ' yes \n']) expect((await ask(typed)).said).toBe(true)
    for (const typed of ['\n', 'n\n', 'yesterday\n', 'yes?\n', undefined]) {
      expect((await ask(typed)).said).toBe(false)
    }
  })

  test('is put to nobody but a person', async () => {
    const nobody = { input: new PassThrough(), output: new PassThrough() }
    await expect(confirm('Publish?', nobody)).rejects.toThrow(UsageError)
  })
})
