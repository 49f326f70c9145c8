import { generateKeyPairSync } from 'node:crypto'
import { EXIT, verb } from '../framework/command.ts'
import { required, text } from '../framework/options.ts'
import { printJson } from '../framework/output.ts'
import { encodePrivateKey, PASSPHRASE_FILE, publicJwkOf, writeNewSecret } from './key-file.ts'

/** Makes the key of one signer: the private half into a file, the public half to print. */
export const keygen = verb({
  summary: 'make the key of a signer, and print its public half',
  options: {
    out: required(
      text('FILE', 'where to write the private key, readable for you alone; never overwritten'),
    ),
    passphraseFile: PASSPHRASE_FILE,
  },
  json: { none: 'what it prints is the public key, as a JWK' },
  run({ out, passphraseFile: passphrase }) {
    const { privateKey } = generateKeyPairSync('ed25519')
    writeNewSecret(out, encodePrivateKey(privateKey, passphrase))
    printJson(publicJwkOf(privateKey))
    const state = passphrase === undefined ? 'not encrypted' : 'encrypted'
    process.stderr.write(
      `The private key is in ${out}, readable for you alone and ${state}. Above is the public key, ` +
        'for BREAK_GLASS_KEYS.\n',
    )
    return EXIT.done
  },
})
