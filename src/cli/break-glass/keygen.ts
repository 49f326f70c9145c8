import { generateKeyPairSync } from 'node:crypto'
import { UsageError } from '../framework/arguments.ts'
import { printJson } from '../framework/output.ts'
import { encodePrivateKey, publicJwkOf, readPassphrase, writeNewSecret } from './key-file.ts'
import type { BreakGlassValues } from './options.ts'

/** Makes the key of one signer: the private half into a file, the public half to print. */
export function keygen(values: BreakGlassValues): number {
  const { out = '' } = values
  if (out === '') throw new UsageError('--out is missing')
  const passphrase = readPassphrase(values['passphrase-file'])
  const { privateKey } = generateKeyPairSync('ed25519')
  writeNewSecret(out, encodePrivateKey(privateKey, passphrase))
  printJson(publicJwkOf(privateKey))
  const state = passphrase === undefined ? 'not encrypted' : 'encrypted'
  process.stderr.write(
    `The private key is in ${out}, readable for you alone and ${state}. Above is the public key, ` +
      'for BREAK_GLASS_KEYS.\n',
  )
  return 0
}
