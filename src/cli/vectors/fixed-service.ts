import { createPublicKey, type KeyObject } from 'node:crypto'
import { toBase64 } from '../../base/encoding.ts'
import { createLog } from '../../base/log.ts'
import { ensureDocuments } from '../../compose/first-documents.ts'
import { createAnswerer } from '../../compose/http.ts'
import { createServices, type Services } from '../../compose/services.ts'
import { type Environment, parseConfig } from '../../config/config.ts'
import { signingSealingKeys } from '../../keys/key-ring.ts'
import { masterSecretsOf } from '../../keys/master-secret.ts'
import { sealSigningKey } from '../../keys/signing-key-material.ts'
import { type AkAuthority, createAkAuthority } from '../../simulator/ak-authority.ts'
import { fixedBytes } from '../../simulator/chance.ts'
import { fixedEcKey, fixedRsaKey } from '../../simulator/fixed-keys.ts'
import { listSimulatorReferenceValues } from '../../simulator/virtual-enclave.ts'
import { SERVICE } from '../../store/schema/system-schema.ts'
import type { Store } from '../../store/store.ts'
import { settleAnswer } from './settle-answer.ts'

/** The moment at which all vectors are made, and under which name the service is known in them. */
export const VECTORS_NOW = new Date('2026-03-02T08:00:00Z')
export const VECTORS_URL = 'https://countersign.example'

/** Keys of the service by what they are for: everybody can make them. */
const LABELS = {
  secret: 'vectors: master secret',
  authority: 'vectors: authority of TPMs',
  attestation: 'vectors: signs attestation tokens',
  deviceToken: 'vectors: signs device tokens',
  enrolment: 'vectors: certifies enrolled keys',
} as const

/** The real service, whose keys, clock and random bytes are known. For vectors, and for nobody else. */
export type FixedService = {
  readonly services: Services
  /** Answers a request at `at`, with the random bytes of `chance`; what varies is made to be the same. */
  readonly answer: (
    request: Request,
    fixed: { readonly at: Date; readonly chance: string },
  ) => Promise<Response>
  /** Certifies endorsement keys and attestation keys: the service trusts it. */
  readonly authority: AkAuthority
  readonly settings: Environment
}

/** Opens it over an empty database. `serve` holds what a runtime lets one request have. */
export async function openFixedService(input: {
  readonly store: Store
  readonly settings?: Environment
  readonly serve?: (answer: () => Promise<Response>) => Promise<Response>
  readonly writeLog?: (line: string) => void
}): Promise<FixedService> {
  const { store, serve = (answer) => answer(), writeLog = () => {} } = input
  let now = VECTORS_NOW
  const clock = () => now
  const authority = await createAkAuthority(VECTORS_NOW, serviceKeys().authority)
  const settings = { ...settingsOf(authority), ...input.settings }
  const config = parseConfig(settings, { acceptPublishedKeys: true })
  if (!config.ok) throw new TypeError('these settings are not acceptable')
  const secrets = masterSecretsOf(vectorsSecret(), undefined)
  await storeKeys(store, secrets)
  await ensureDocuments(store, VECTORS_NOW, listSimulatorReferenceValues())
  const log = createLog({ level: 'debug', write: writeLog, clock })
  const made = await createServices({ config: config.value, log, store, secrets, clock })
  let random = fixedBytes('')
  const bytes = (length: number) => random(length)
  // The service takes all that is left to chance from here.
  const services = {
    ...{ ...made, random: bytes, enrolment: { ...made.enrolment, random: bytes } },
    // Which index a device has is by chance.
    statusIndexOf: () => 0,
  }
  const answerNow = createAnswerer(services)
  const keys = serviceKeys()
  return {
    services,
    authority,
    settings,
    async answer(request, { at, chance }) {
      now = at
      random = fixedBytes(`vectors: ${chance}`)
      return settleAnswer(await serve(async () => answerNow(request)), keys)
    },
  }
}

/** SECRET_KEY of the service: 32 bytes in base64. */
export function vectorsSecret(): string {
  return toBase64(fixedBytes(LABELS.secret)(32))
}

/** Private keys of the service. */
export function serviceKeys(): Readonly<
  Record<'authority' | 'attestation' | 'deviceToken' | 'enrolment', KeyObject>
> {
  return {
    authority: fixedRsaKey(LABELS.authority),
    attestation: fixedRsaKey(LABELS.attestation),
    deviceToken: fixedEcKey(LABELS.deviceToken),
    enrolment: fixedEcKey(LABELS.enrolment),
  }
}

function settingsOf({ anchorPem }: AkAuthority): Environment {
  return {
    PUBLIC_URL: VECTORS_URL,
    AK_TRUST_ANCHORS: anchorPem,
    EK_TRUST_ANCHORS: anchorPem,
    // So that any number of refused requests can be tried with one device.
    DEVICE_ATTESTATIONS_PER_MINUTE: '6000',
  }
}

/** Before its first start, so that the service finds these keys and makes none of its own. */
async function storeKeys(store: Store, secrets: Parameters<typeof signingSealingKeys>[0]) {
  const { attestation, deviceToken, enrolment } = serviceKeys()
  const uses = { attestation, 'device-token': deviceToken, enrolment } as const
  const stored = await store.listSigningKeys()
  for (const use of ['attestation', 'device-token', 'enrolment'] as const) {
    if (stored.some((key) => key.use === use)) continue
    const key = await sealSigningKey({
      use,
      issuer: VECTORS_URL,
      keys: await importPair(uses[use]),
      serial: fixedBytes(`vectors: serial number ${use}`)(16),
      sealingKeys: signingSealingKeys(secrets),
      signsFrom: VECTORS_NOW,
      now: VECTORS_NOW,
    })
    const previousAcceptedUntil = VECTORS_NOW
    await store.publishSigningKey({
      ...{ key, generation: 1, previousAcceptedUntil, by: SERVICE, now: VECTORS_NOW },
    })
  }
}

async function importPair(key: KeyObject): Promise<CryptoKeyPair> {
  const algorithm =
    key.asymmetricKeyType === 'rsa'
      ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
      : { name: 'ECDSA', namedCurve: 'P-256' }
  const read = (one: KeyObject, usages: readonly KeyUsage[]) => {
    const jwk = one.export({ format: 'jwk' }) as JsonWebKey
    return crypto.subtle.importKey('jwk', jwk, algorithm, true, [...usages])
  }
  return {
    privateKey: await read(key, ['sign']),
    publicKey: await read(createPublicKey(key), ['verify']),
  }
}
