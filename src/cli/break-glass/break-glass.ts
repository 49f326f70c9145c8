import { group } from '../framework/command.ts'
import { keygen } from './keygen.ts'
import { show } from './show.ts'
import { sign } from './sign.ts'

export const command = group({
  about: `When the policy, the verifier, the database or the identity provider keeps everybody out, several
people together can let in: each signs the same token offline, with a key of their own. Whoever asks
for access sends it as the header Break-Glass of an AuthZEN question. All of this works without
network and database.

Beforehand: each signer makes a key with keygen and hands over the public half that it prints. The
service gets all of them as BREAK_GLASS_KEYS='{"keys":[…]}' and BREAK_GLASS_THRESHOLD, the number
of signers that it takes. In an emergency: the first one signs and hands the token over, each other
one looks at it (show) and adds a signature (sign --add). A token cannot be called back, opens for
quarantined devices too, and every use of it is logged as an error.`,
  verbs: { keygen, sign, show },
})
