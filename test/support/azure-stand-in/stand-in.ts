import { randomBytes, randomUUID } from 'node:crypto'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { createClientCertificate, createTlsIdentity } from './certificates.ts'
import { startEntra } from './entra.ts'
import type { Outage, OutageOptions } from './outages.ts'
import { type ProviderOptions, type StandInProvider, startProvider } from './provider.ts'

/**
 * Azure Attestation and the Entra that guards it, as recorded, on servers of their own: the true
 * SDKs run against it unchanged.
 */
export type AzureStandIn = {
  /** Of the certificate authority of its servers. */
  readonly caPem: string
  /** Where Entra is. */
  readonly authorityHost: string
  readonly tenantId: string
  readonly clientId: string
  readonly clientSecret: string
  /** Certificate and PKCS #8 key of the same client. */
  readonly clientCertificatePem: string
  /** Settings of a service that asks the providers with the client's secret. */
  readonly environment: (providers: readonly string[]) => Readonly<Record<string, string>>
  readonly createProvider: (options?: ProviderOptions) => Promise<StandInProvider>
  readonly tokenRequests: readonly { readonly form: Readonly<Record<string, string>> }[]
  /** Lets Entra fail. */
  readonly failEntra: (how: Outage, options?: OutageOptions) => void
  readonly recoverEntra: () => void
  readonly close: () => Promise<void>
}

export async function startAzure(
  options: { readonly clock?: () => Date } = {},
): Promise<AzureStandIn> {
  const tls = await createTlsIdentity()
  const { certificate, pem } = await createClientCertificate('countersign-client')
  const tenantId = randomUUID()
  const clientId = randomUUID()
  const clientSecret = randomBytes(24).toString('base64url')
  const client = { tenantId, clientId, clientSecret, certificate: certificate.pem }
  const entra = await startEntra(tls, client)
  const providers: StandInProvider[] = []
  return {
    caPem: tls.caPem,
    authorityHost: entra.url,
    tenantId,
    clientId,
    clientSecret,
    clientCertificatePem: pem,
    environment: (verifiers) => ({
      VERIFIERS: verifiers.join(),
      AZURE_CREDENTIAL: 'client-secret',
      AZURE_TENANT_ID: tenantId,
      AZURE_CLIENT_ID: clientId,
      AZURE_CLIENT_SECRET: clientSecret,
      AZURE_AUTHORITY_HOST: entra.url,
    }),
    async createProvider(given = {}) {
      const provider = await startProvider({ tls, entra, options: { ...options, ...given } })
      providers.push(provider)
      return provider
    },
    tokenRequests: entra.tokenRequests,
    failEntra: (how, outage) => entra.outages.fail(how, outage),
    recoverEntra: () => entra.outages.recover(),
    async close() {
      await Promise.all([entra.close(), ...providers.map((provider) => provider.close())])
    },
  }
}

/** Lets this process trust the stand-in's servers, over fetch as well as node:https. */
export function trustStandIn({ caPem }: AzureStandIn): void {
  setDefaultCACertificates([...getCACertificates('default'), caPem])
}
