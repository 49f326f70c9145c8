import { randomBytes } from 'node:crypto'
import { azureError } from './azure-errors.ts'
import {
  createPkiKey,
  createRegionalKey,
  type PublishedKey,
  type TlsIdentity,
} from './certificates.ts'
import type { Entra } from './entra.ts'
import { type Answer, type Received, startHttpsServer } from './https-server.ts'
import type { Outage, OutageOptions } from './outages.ts'
import { createPolicyStore } from './policies.ts'
import { createTpmProtocol } from './tpm-protocol.ts'

export type ProviderOptions = {
  /** Text of the TPM policy; none unless told otherwise, as Azure creates providers. */
  readonly policy?: string
  /** DER of the certificates that sign this provider's policies: an isolated one. */
  readonly policySigners?: readonly Uint8Array[]
  readonly clock?: () => Date
}

/** One attestation provider. */
export type StandInProvider = {
  /** `iss` of its tokens. */
  readonly url: string
  readonly requests: readonly {
    readonly method: string
    readonly path: string
    readonly authorization: string | undefined
    readonly body: string
  }[]
  /** Of the TPM policy in force. */
  readonly policyHash: () => string
  readonly setPolicy: (text: string) => void
  readonly fail: (how: Outage, options?: OutageOptions) => void
  /** Ends every outage. */
  readonly recover: () => void
  /** Another key signs from now on and the one before is no longer listed. */
  readonly rotateKeys: () => Promise<void>
  /** The certificate of the key that signs has expired. It is still listed, and still signs. */
  readonly expireLeaf: () => Promise<void>
  readonly close: () => Promise<void>
}

const AUDIENCE = 'https://attest.azure.net'
const DAY_MS = 86_400_000
const SERVICE_VERSION = '1.11.02134.501'

export async function startProvider(input: {
  readonly tls: TlsIdentity
  readonly entra: Entra
  readonly options: ProviderOptions
}): Promise<StandInProvider> {
  const { tls, entra, options } = input
  const clock = options.clock ?? (() => new Date())
  const requests: StandInProvider['requests'][number][] = []
  let url = ''
  let keys: { regional: PublishedKey; pki: PublishedKey; former: PublishedKey } | undefined
  const keysOf = () => {
    if (keys === undefined) throw new Error('the provider has not started')
    return keys
  }
  const policies = createPolicyStore({
    url: () => url,
    regionalKey: () => keysOf().regional,
    clock,
    signers: options.policySigners ?? [],
  })
  if (options.policy !== undefined) policies.set(options.policy)
  const protocol = await createTpmProtocol({
    url: () => url,
    pkiKey: () => keysOf().pki,
    policy: () => ({ text: policies.text(), hash: policies.hash() }),
    clock,
  })

  const answer = async (received: Received): Promise<Answer> => {
    const { pathname } = new URL(received.path, url)
    if (pathname === '/certs') return { status: 200, body: listKeys(Object.values(keysOf())) }
    if (pathname === '/.well-known/openid-configuration') {
      return { status: 200, body: describe(url) }
    }
    const token = /^Bearer (.+)$/.exec(received.headers.authorization ?? '')?.[1] ?? ''
    if ((await entra.audienceOf(token)) !== AUDIENCE) return unauthorized()
    if (pathname === '/attest/Tpm' && received.method === 'POST') return protocol.answer(received)
    return policies.answer(received)
  }

  const server = await startHttpsServer(tls, async (received) => {
    const { method, path, headers, body } = received
    requests.push({ method, path, authorization: headers.authorization, body })
    const given = await answer(received)
    return { ...given, headers: { ...serviceHeaders(), ...given.headers } }
  })
  url = server.url
  let generation = 1
  keys = {
    regional: await createRegionalKey(url),
    pki: await createPkiKey('pki 1'),
    former: await createPkiKey('former', {
      notBefore: new Date('2021-01-01T00:00:00Z'),
      notAfter: new Date('2022-01-01T00:00:00Z'),
    }),
  }
  return {
    url,
    requests,
    policyHash: policies.hash,
    setPolicy: policies.set,
    fail: (how, outage) => server.outages.fail(how, outage),
    recover: () => server.outages.recover(),
    async rotateKeys() {
      generation += 1
      keys = { ...keysOf(), pki: await createPkiKey(`pki ${generation}`) }
    },
    async expireLeaf() {
      generation += 1
      const now = clock().getTime()
      const notBefore = new Date(now - 180 * DAY_MS)
      const notAfter = new Date(now - DAY_MS)
      keys = { ...keysOf(), pki: await createPkiKey(`pki ${generation}`, { notBefore, notAfter }) }
    },
    close: server.close,
  }
}

/** Only these members, as recorded: no `n`, `e`, `alg` or `use`. */
function listKeys(keys: readonly PublishedKey[]) {
  return { keys: keys.map(({ kid, x5c }) => ({ x5c, kid, kty: 'RSA' })) }
}

function describe(url: string) {
  return {
    response_types_supported: ['token', 'none'],
    id_token_signing_alg_values_supported: ['RS256'],
    revocation_endpoint: `${url}/revoke`,
    issuer: url,
    jwks_uri: `${url}/certs`,
    claims_supported: ['cnf', 'nonce', 'x-ms-ver', 'x-ms-attestation-type', 'x-ms-policy-hash'],
  }
}

function unauthorized(): Answer {
  const challenge = `Bearer authorization_uri="https://login.windows.net/common", resource="${AUDIENCE}"`
  return { ...azureError(401, 'Unauthorized'), headers: { 'www-authenticate': challenge } }
}

function serviceHeaders(): Readonly<Record<string, string>> {
  const id = `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-00`
  return { 'x-ms-request-id': id, 'x-ms-maa-service-version': SERVICE_VERSION, server: 'Kestrel' }
}
