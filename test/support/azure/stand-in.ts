import { randomBytes, randomUUID } from 'node:crypto'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { createClientCertificate, createTlsIdentity } from './certificates.ts'
import { issueFederatedToken } from './client-assertions.ts'
import { startEntra, type TokenForm } from './entra.ts'
import type { Outage, OutageOptions } from './outages.ts'
import { type ProviderOptions, type StandInProvider, startProvider } from './provider.ts'

export type { Outage, OutageOptions } from './outages.ts'
export type { ProviderOptions, StandInProvider } from './provider.ts'

/**
 * Azure Attestation and the Entra that guards it, as recorded and documented, on servers of their
 * own: the true SDKs run against it unchanged.
 */
export type AzureStandIn = {
  /** Of the certificate authority of its servers. */
  readonly caPem: string
  /** Where Entra is. */
  readonly authorityHost: string
  readonly tenantId: string
  readonly clientId: string
  readonly clientSecret: string
  /** Certificate and PKCS#8 key of the same client. */
  readonly clientCertificatePem: string
  /** What a cluster projects for its workload, which is registered as the same client. */
  readonly issueFederatedToken: () => Promise<string>
  /** Settings of a service that asks these verifiers with the client's secret. */
  readonly environment: (verifiers: readonly string[]) => Readonly<Record<string, string>>
  readonly createProvider: (options?: ProviderOptions) => Promise<StandInProvider>
  readonly tokenRequests: readonly { readonly form: TokenForm }[]
  /** Makes Entra fail. */
  readonly failEntra: (how: Outage, options?: OutageOptions) => void
  readonly recoverEntra: () => void
  /** Of Entra and of every provider. */
  readonly close: () => Promise<void>
}

export async function startAzure(
  options: { readonly clock?: () => Date } = {},
): Promise<AzureStandIn> {
  const { clock = () => new Date() } = options
  const { caPem, tls } = await createTlsIdentity()
  const certificate = await createClientCertificate('client')
  const [tenantId, clientId] = [randomUUID(), randomUUID()]
  const clientSecret = randomBytes(24).toString('base64url')
  const assertions = { certificatePem: certificate.certificate.pem }
  const client = { tenantId, clientId, clientSecret, assertions }
  const entra = await startEntra({ tls, client, clock })
  const authority = `${entra.url}/${tenantId}`
  const providers: StandInProvider[] = []
  return {
    caPem,
    authorityHost: entra.url,
    tenantId,
    clientId,
    clientSecret,
    clientCertificatePem: certificate.pem,
    issueFederatedToken: () => issueFederatedToken(clock()),
    environment: (verifiers) => ({
      VERIFIERS: verifiers.join(),
      AZURE_CREDENTIAL: 'client-secret',
      AZURE_TENANT_ID: tenantId,
      AZURE_CLIENT_ID: clientId,
      AZURE_CLIENT_SECRET: clientSecret,
      AZURE_AUTHORITY_HOST: entra.url,
    }),
    async createProvider(given = {}) {
      const provider = await startProvider({ tls, entra, authority, options: { clock, ...given } })
      providers.push(provider)
      return provider
    },
    tokenRequests: entra.tokenRequests,
    failEntra: entra.fail,
    recoverEntra: entra.recover,
    async close() {
      await Promise.all([entra.close(), ...providers.map((provider) => provider.close())])
    },
  }
}

/** Lets this process trust the stand-in's servers, over fetch as well as node:https. */
export function trustStandIn({ caPem }: Pick<AzureStandIn, 'caPem'>): void {
  setDefaultCACertificates([...getCACertificates('default'), caPem])
}
