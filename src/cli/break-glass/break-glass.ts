import { type Command, readArguments, UsageError } from '../framework/arguments.ts'
import { keygen } from './keygen.ts'
import { OPTIONS } from './options.ts'
import { show } from './show.ts'
import { sign } from './sign.ts'

export const command: Command = {
  options: OPTIONS,
  help: `Usage: countersign break-glass keygen --out FILE [--passphrase-file FILE]
       countersign break-glass sign --key FILE --audience URL (--device ID | --all-devices)
                                    --reason TEXT [--for TIME] [--issuer NAME]
       countersign break-glass sign --key FILE --add TOKEN|-
       countersign break-glass show TOKEN|- [--keys FILE] [--threshold N] [--audience URL] [--json]

When the policy, the verifier, the database or the identity provider keeps everybody out, several
people together can let in: each signs the same token offline, with a key of their own. Whoever asks
for access sends it as the header Break-Glass of an AuthZEN question. All of this works without
network and database.

Beforehand: each signer makes a key with keygen and hands over the public half that it prints. The
service gets all of them as BREAK_GLASS_KEYS='{"keys":[…]}' and BREAK_GLASS_THRESHOLD, the number
of signers that it takes. In an emergency: the first one signs and hands the token over, each other
one looks at it (show) and adds a signature (sign --add). A token cannot be called back, opens for
quarantined devices too, and every use of it is logged as an error.

  --out FILE              where to write the private key, readable for you alone; never overwritten
  --passphrase-file FILE  the file whose first line encrypts the private key, or decrypts it
  --key FILE              your private key: Ed25519, PKCS#8 in PEM
  --audience URL          the service that is opened (its PUBLIC_URL); with show: what it must be
  --device ID             the one device that is let in: dev_…
  --all-devices           let in every device, and requests that name none
  --reason TEXT           why, at most 300 characters; it is logged and told to who asks
  --for TIME              how long: 90s, 30m (the default), 2h; the service takes
                          BREAK_GLASS_MAX_SECONDS at most (1h unless set), and nobody more than 24h
  --issuer NAME           who makes it, in words (you@this-computer)
  --add TOKEN|-           the token to sign too; - is standard input
  --keys FILE             the public keys to check signatures by: a JWK set as in BREAK_GLASS_KEYS
  --threshold N           how many of them must have signed (2)
  --json                  print one JSON object: verified, reason, remarks, signatures, token

Exit status: 0 done, or the token opens; 2 refused (with the reason); 1 wrong usage.
`,
  async run(args) {
    const { values, positionals } = readArguments(args, OPTIONS, 2)
    const [verb, token] = positionals
    if (verb === 'show') return show(token, values)
    if (token !== undefined) throw new UsageError(`'${token}' is one argument too many`)
    if (verb === 'keygen') return keygen(values)
    if (verb === 'sign') return sign(values)
    throw new UsageError('say keygen, sign or show')
  },
}
