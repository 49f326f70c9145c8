import { describe, expect, test } from 'vitest'
import { parseConfig } from '../../src/config/config.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

const PROVIDER = 'https://contoso.eus.attest.azure.net'
const SECRET = {
  AZURE_CREDENTIAL: 'client-secret',
  AZURE_TENANT_ID: 'tenant',
  AZURE_CLIENT_ID: 'client',
  AZURE_CLIENT_SECRET: 's3cret',
}

const settingsAtFault = (environment: Readonly<Record<string, string>>) =>
  expectRefusal(parseConfig(environment), 'config_invalid').mistakes.map(
    (line) => line.split(/[:.]/)[0],
  )

describe('VERIFIERS', () => {
  test('is our own verifier unless told otherwise', () => {
    expect(expectOk(parseConfig({})).verifiers).toEqual(['built-in'])
  })

  test('is an ordered list', () => {
    const second = 'https://contoso.wus.attest.azure.net'
    const { verifiers } = expectOk(parseConfig({ VERIFIERS: `${PROVIDER}/, ${second} ,built-in` }))
    expect(verifiers).toEqual([PROVIDER, second, 'built-in'])
  })

  test.each([
    ['in the clear', 'http://contoso.eus.attest.azure.net'],
    ['with a path', `${PROVIDER}/attest`],
    ['with credentials', 'https://u:p@contoso.eus.attest.azure.net'],
    ['that is no URL', 'contoso'],
    ['twice', `${PROVIDER},built-in,${PROVIDER}`],
    ['of which there are none', ','],
    ['that is shared by everybody and has no TPM policy', 'https://sharedeus.eus.attest.azure.net'],
    ['of a test cloud', 'https://contoso.eus.test.attest.azure.net'],
    [
      'of which there are too many',
      Array.from({ length: 9 }, (_, i) => `https://p${i}.example`).join(),
    ],
  ])('refuses a provider %s', (_name, list) => {
    expect(new Set(settingsAtFault({ VERIFIERS: list }))).toEqual(new Set(['VERIFIERS']))
  })
})

describe('the credential for Azure', () => {
  test('is of the public cloud and found by itself unless told otherwise', () => {
    expect(expectOk(parseConfig({ VERIFIERS: PROVIDER })).azure).toMatchObject({
      credential: { kind: 'default', authorityHost: 'https://login.microsoftonline.com' },
      scope: 'https://attest.azure.net/.default',
      timeoutMs: 10_000,
    })
  })

  test('goes to the authority of its cloud', () => {
    const { azure } = expectOk(parseConfig({ ...SECRET, AZURE_CLOUD: 'us-government' }))
    expect(azure.scope).toBe('https://attest.azure.us/.default')
    expect(azure.credential).toEqual({
      kind: 'client-secret',
      tenantId: 'tenant',
      clientId: 'client',
      clientSecret: 's3cret',
      authorityHost: 'https://login.microsoftonline.us',
      disableInstanceDiscovery: false,
    })
  })

  test('goes to an authority of our own, which Entra is not asked about', () => {
    const host = 'https://login.example'
    const given = { ...SECRET, AZURE_AUTHORITY_HOST: host, AZURE_ATTESTATION_SCOPE: 'x/.default' }
    const { credential, scope } = expectOk(parseConfig(given)).azure
    expect(scope).toBe('x/.default')
    expect(credential).toMatchObject({ authorityHost: host, disableInstanceDiscovery: true })
  })

  test('sends no secret to an authority without TLS', () => {
    const AZURE_AUTHORITY_HOST = 'http://login.example'
    expect(settingsAtFault({ ...SECRET, AZURE_AUTHORITY_HOST })).toEqual(['AZURE_AUTHORITY_HOST'])
  })

  test('names all that it lacks at once', () => {
    const AZURE_CREDENTIAL = 'client-secret'
    expect(settingsAtFault({ AZURE_CREDENTIAL })).toEqual([
      'AZURE_TENANT_ID',
      'AZURE_CLIENT_ID',
      'AZURE_CLIENT_SECRET',
    ])
  })

  test('is a certificate from one place, with its key', () => {
    const { AZURE_CLIENT_SECRET: _, ...named } = SECRET
    const given = { ...named, AZURE_CREDENTIAL: 'client-certificate' }
    const pem = '-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n'
    const at = 'AZURE_CLIENT_CERTIFICATE'
    expect(settingsAtFault(given)).toEqual([at])
    expect(settingsAtFault({ ...given, [at]: '-----BEGIN CERTIFICATE-----' })).toEqual([at])
    expect(settingsAtFault({ ...given, [at]: pem, [`${at}_PATH`]: '/x' })).toEqual([at])
    const { credential } = expectOk(parseConfig({ ...given, [at]: pem })).azure
    expect(credential).toMatchObject({ kind: 'client-certificate', pem })
  })

  test.each(['managed-identity', 'workload-identity'])('%s needs no setting', (kind) => {
    const { credential } = expectOk(parseConfig({ AZURE_CREDENTIAL: kind })).azure
    expect(credential.kind).toBe(kind)
  })
})
