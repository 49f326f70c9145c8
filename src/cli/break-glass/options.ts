import type { readArguments } from '../framework/arguments.ts'

export const OPTIONS = {
  out: { type: 'string' },
  key: { type: 'string' },
  'passphrase-file': { type: 'string' },
  audience: { type: 'string' },
  device: { type: 'string' },
  'all-devices': { type: 'boolean', default: false },
  reason: { type: 'string' },
  for: { type: 'string' },
  issuer: { type: 'string' },
  add: { type: 'string' },
  keys: { type: 'string' },
  threshold: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const

export type BreakGlassValues = ReturnType<typeof readArguments<typeof OPTIONS>>['values']
