/**
 * Stands for `jsrsasign` in the Worker's bundle (`[alias]` of wrangler.toml), with the names that
 * `@azure/attestation` imports. The client uses it to validate tokens and to sign policies, neither
 * of which is asked of it here: jose verifies, and policies are published from Node.
 */
const refuse = (): never => {
  throw new TypeError('jsrsasign is not part of this build')
}

export const KJUR = {
  get jws(): never {
    return refuse()
  },
  get crypto(): never {
    return refuse()
  },
}

export class X509 {
  constructor() {
    refuse()
  }
}

export class RSAKey {
  constructor() {
    refuse()
  }
}
