import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { parseConfig, SETTING_NAMES } from '../../src/config/config.ts'
import { expectOk } from '../support/refusal.ts'

const secret = randomBytes(32).toString('base64')
const described = (env: Readonly<Record<string, string>>) =>
  new Map(expectOk(parseConfig(env)).described.map((one) => [one.name, one]))

test('has every setting there is, each once', () => {
  const { described: all } = expectOk(parseConfig({}))
  expect(all.map(({ name }) => name)).toEqual(SETTING_NAMES)
})

test('says no secret, only that there is one', () => {
  const settings = described({
    SECRET_KEY: secret,
    DATABASE_URL: 'postgres://writer:hunter2@db.example:5432/trust',
  })
  expect(settings.get('SECRET_KEY')).toEqual({
    ...{ name: 'SECRET_KEY', isGiven: true, value: undefined, isSecret: true },
  })
  expect(settings.get('DATABASE_URL')?.value).toBe('db.example:5432/trust')
  const text = JSON.stringify([...settings.values()])
  expect(text).not.toContain(secret)
  expect(text).not.toContain('hunter2')
})

test('keeps back each setting that is a secret by its name, and no other', () => {
  const kept = [...described({}).values()].filter(({ isSecret }) => isSecret)
  expect(kept.map(({ name }) => name).toSorted()).toEqual([
    ...['AZURE_CLIENT_CERTIFICATE', 'AZURE_CLIENT_SECRET', 'CONSOLE_CLIENT_SECRET'],
    ...['DATABASE_URL', 'GOOGLE_SERVICE_ACCOUNT'],
    // URLs that may have a password in them.
    ...['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT'],
    ...['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'SECRET_KEY', 'SECRET_KEY_PREVIOUS'],
  ])
})

test('says what was given as it was written, and what nobody gave as it is', () => {
  const settings = described({ VERIFIERS: 'built-in', HOLD_SECONDS: '60' })
  expect(settings.get('HOLD_SECONDS')).toMatchObject({ isGiven: true, value: '60' })
  expect(settings.get('OUTAGE_GRACE_SECONDS')).toMatchObject({ isGiven: false, value: '14400' })
  expect(settings.get('DECISION_LOG')?.value).toMatch(/^\w+$/)
  expect(settings.get('CONSOLE_ISSUER')).toMatchObject({ isGiven: false, value: undefined })
})
