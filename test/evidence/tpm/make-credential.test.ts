import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { endorsementKeyOf, withoutSize } from '../../../src/evidence/tpm/endorsement-key.ts'
import {
  type Credential,
  type CredentialRandomness,
  makeCredential,
} from '../../../src/evidence/tpm/make-credential.ts'
import { parseTpmPublic } from '../../../src/evidence/tpm/public-area.ts'
import { expectOk } from '../../support/refusal.ts'
import { describeSwtpm, type Swtpm, type SwtpmAk, type SwtpmKey } from '../../support/swtpm.ts'
import { openSwtpmMaker, type SwtpmMaker } from '../../support/swtpm-maker.ts'

const SECRET = randomBytes(32)

/**
 * Witness: swtpm, a TPM 2.0 that nobody here wrote, opens by TPM2_ActivateCredential (tpm2-tools) what
 * is sealed here. Of two makers of credentials no two are equal, so what can be compared with
 * TPM2_MakeCredential of the same TPM is their form, and that either is opened alike.
 */
describeSwtpm('a credential that is made here', () => {
  let maker: SwtpmMaker
  let tpm: Swtpm
  let large: Swtpm
  let ak: SwtpmAk
  let otherAk: SwtpmAk
  let keys: Readonly<
    Record<string, { readonly tpm: Swtpm; readonly ek: SwtpmKey; readonly ak: SwtpmAk }>
  >

  beforeAll(async () => {
    maker = await openSwtpmMaker()
    tpm = await maker.make()
    large = await maker.make({ rsaBits: 3072 })
    ak = await tpm.createAk('rsa')
    otherAk = await tpm.createAk('ecc')
    const largeAk = await large.createAk('ecc')
    keys = {
      'rsa-2048': { tpm, ek: await tpm.readEk('rsa'), ak },
      'rsa-3072': { tpm: large, ek: await large.readEk('rsa3072'), ak: largeAk },
      'ecc-p256': { tpm, ek: await tpm.createEccEk(), ak: otherAk },
      'ecc-p384': { tpm, ek: await tpm.readEk('ecc384'), ak },
    }
  }, 60_000)

  afterAll(async () => {
    await tpm?.stop()
    await large?.stop()
    await maker?.close()
  })

  const found = (kind: string) => {
    const one = keys[kind]
    if (one === undefined) throw new TypeError(`no key ${kind}`)
    return one
  }

  describe.each(['rsa-2048', 'rsa-3072', 'ecc-p256', 'ecc-p384'])('for an EK %s', (kind) => {
    test('is of a default template', () => {
      const { publicArea } = found(kind).ek
      expect(expectOk(endorsementKeyOf(jwkOf(publicArea), publicArea)).kind).toBe(kind)
    })

    test('is opened by the TPM that has both keys', async () => {
      const { tpm: holder, ek, ak: own } = found(kind)
      const credential = await sealFor(ek, own)
      expect(await holder.activate({ ek, ak: own, credential })).toEqual(new Uint8Array(SECRET))
    })

    test('has the form of what the TPM itself makes', async () => {
      const { tpm: holder, ek, ak: own } = found(kind)
      const theirs = await holder.makeCredential(ek, nameOf(own), SECRET)
      const ours = await sealFor(ek, own)
      expect(ours).toHaveLength(theirs.length)
      expect(ours.subarray(0, 4)).toEqual(Buffer.from(theirs.subarray(0, 4)))
      const opened = await holder.activate({ ek, ak: own, credential: theirs })
      expect(opened).toEqual(new Uint8Array(SECRET))
    })

    test('is opened with no other attestation key loaded', async () => {
      const { tpm: holder, ek, ak: own } = found(kind)
      const another =
        own.kind === 'rsa' ? await holder.createAk('ecc') : await holder.createAk('rsa')
      const credential = await sealFor(ek, own)
      await expect(holder.activate({ ek, ak: another, credential })).rejects.toThrow()
    })

    test('is opened by no other TPM', async () => {
      const { tpm: holder, ek, ak: own } = found(kind)
      const credential = await sealFor(ek, own)
      const thief = holder === tpm ? large : tpm
      const theirs = kind.startsWith('rsa') ? await thief.createEk() : await thief.readEk('ecc384')
      const key = await thief.createAk('rsa')
      await expect(thief.activate({ ek: theirs, ak: key, credential })).rejects.toThrow()
    })

    test('is opened by nobody where a byte of it was changed', async () => {
      const { tpm: holder, ek, ak: own } = found(kind)
      const credential = await sealFor(ek, own)
      for (const at of [4, credential.length - 1]) {
        const changed = Uint8Array.from(credential)
        changed[at] = (changed[at] ?? 0) ^ 1
        await expect(holder.activate({ ek, ak: own, credential: changed })).rejects.toThrow()
      }
    })
  })

  test('is not made with randomness of another kind of key, or of another length', async () => {
    const ecc = await ephemeral('P-256')
    const short: CredentialRandomness = {
      kind: 'rsa',
      seed: randomBytes(31),
      oaepSeed: randomBytes(32),
    }
    const long: CredentialRandomness = {
      kind: 'rsa',
      seed: randomBytes(32),
      oaepSeed: randomBytes(48),
    }
    for (const randomness of [ecc, short, long]) {
      const key = expectOk(endorsementKeyOf(jwkOf(found('rsa-2048').ek.publicArea)))
      const input = { key, name: nameOf(ak), secret: SECRET, randomness }
      await expect(makeCredential(input)).rejects.toThrow(TypeError)
    }
    const key = expectOk(endorsementKeyOf(jwkOf(found('ecc-p384').ek.publicArea)))
    const input = { key, name: nameOf(ak), secret: SECRET, randomness: ecc }
    await expect(makeCredential(input)).rejects.toThrow(TypeError)
  })
})

async function sealFor(ek: SwtpmKey, ak: SwtpmKey): Promise<Uint8Array> {
  const key = expectOk(endorsementKeyOf(jwkOf(ek.publicArea)))
  const size = key.nameAlgorithm === 'sha256' ? 32 : 48
  const randomness: CredentialRandomness =
    key.jwk.kty === 'RSA'
      ? { kind: 'rsa', seed: randomBytes(size), oaepSeed: randomBytes(size) }
      : await ephemeral(key.jwk.crv ?? '')
  return join(await makeCredential({ key, name: nameOf(ak), secret: SECRET, randomness }))
}

async function ephemeral(namedCurve: string): Promise<CredentialRandomness> {
  const algorithm = { name: 'ECDH', namedCurve }
  const keys = await crypto.subtle.generateKey(algorithm, true, ['deriveBits'])
  return { kind: 'ecc', ephemeral: keys }
}

function join({ credentialBlob, encryptedSecret }: Credential): Uint8Array {
  return Buffer.concat([credentialBlob, encryptedSecret])
}

function jwkOf(publicArea: Uint8Array): JsonWebKey {
  return expectOk(parseTpmPublic(withoutSize(publicArea))).jwk
}

function nameOf(key: SwtpmKey): Uint8Array {
  return expectOk(parseTpmPublic(key.publicArea)).name
}
