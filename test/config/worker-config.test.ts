import { describe, expect, test } from 'vitest'
import { readWorkerConfig } from '../../src/config/worker-config.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

const BINDINGS = {
  HYPERDRIVE: { connectionString: 'postgres://user:secret@hyperdrive.local:5432/countersign' },
  PUBLIC_URL: 'https://countersign.example.com/',
  SECRET_KEY: 'dGhpcnR5LXR3byBieXRlcyBvZiBhIHRlc3Qgc2VjcmU=',
}

const AZURE = {
  VERIFIERS: 'https://contoso.eus.attest.azure.net, built-in',
  AZURE_TENANT_ID: 'tenant',
  AZURE_CLIENT_ID: 'client',
  AZURE_CLIENT_SECRET: 'secret',
}

function mistakesOf(bindings: Readonly<Record<string, unknown>>): readonly string[] {
  return expectRefusal(readWorkerConfig(bindings), 'config_invalid').mistakes
}

describe('configuration of a Worker', () => {
  test('comes from its bindings, with the presets of Node', () => {
    const config = expectOk(readWorkerConfig({ ...BINDINGS, ENROLMENT: 'listed', OTHER: {} }))
    expect(config).toMatchObject({
      publicUrl: 'https://countersign.example.com',
      agentOrigins: ['https://countersign.example.com'],
      database: { kind: 'postgres', url: BINDINGS.HYPERDRIVE.connectionString },
      enrolment: 'listed',
      historyDays: 90,
    })
  })

  test('takes numbers, as wrangler.toml may hold them', () => {
    expect(expectOk(readWorkerConfig({ ...BINDINGS, HISTORY_DAYS: 7 })).historyDays).toBe(7)
  })

  test('takes any name of this machine while developing', () => {
    const bindings = { ...BINDINGS, PUBLIC_URL: 'http://localhost:8787' }
    expect(expectOk(readWorkerConfig(bindings)).agentOrigins).toEqual([
      'http://localhost:8787',
      'http://127.0.0.1:8787',
      'http://[::1]:8787',
    ])
  })

  test('wants what Node finds out or makes for itself', () => {
    expect(mistakesOf({})).toEqual([
      'HYPERDRIVE: is needed, a Hyperdrive binding to PostgreSQL',
      'PUBLIC_URL: is needed',
      'SECRET_KEY: is needed',
    ])
  })

  test('tells all mistakes at once, and none of the values', () => {
    const mistakes = mistakesOf({ ...BINDINGS, SECRET_KEY: 'hunter2', ENROLMENT: 'hunter2' })
    expect(mistakes.map((line) => line.split(':')[0]).sort()).toEqual(['ENROLMENT', 'SECRET_KEY'])
    expect(mistakes.join()).not.toContain('hunter2')
  })

  test.each([
    ['DATABASE_URL', 'postgres://elsewhere/db'],
    ['AK_TRUST_ANCHORS_FILE', '/etc/anchors.pem'],
    ['AZURE_CLIENT_CERTIFICATE_PATH', '/etc/client.pem'],
    ['AZURE_FEDERATED_TOKEN_FILE', '/var/run/token'],
  ])('refuses %s, which would have no effect', (name, value) => {
    expect(mistakesOf({ ...BINDINGS, [name]: value })).toEqual([
      expect.stringMatching(`^${name}: has no effect here`),
    ])
  })

  test('wants a credential that works outside of Azure, where Azure is asked', () => {
    expect(mistakesOf({ ...BINDINGS, ...AZURE })).toEqual([
      'AZURE_CREDENTIAL: must be one of client-secret, client-certificate here',
    ])
    const config = readWorkerConfig({ ...BINDINGS, ...AZURE, AZURE_CREDENTIAL: 'client-secret' })
    expect(expectOk(config).azure.credential.kind).toBe('client-secret')
  })
})
