import { createHash, X509Certificate } from 'node:crypto'
import { decodeJwt, jwtVerify, SignJWT } from 'jose'
import { rsaKey } from './rsa-keys.ts'

/** Who may speak for the client beside one who knows its secret. */
export type ClientAssertions = {
  /** PEM of the certificate that is registered with the application. */
  readonly certificatePem: string
}

export type AssertionIssuer = {
  readonly clientId: string
  /** What an assertion of the client itself may be addressed to. */
  readonly audiences: readonly string[]
  readonly now: Date
}

/** MSAL rounds times up, so its assertions can be dated ahead. */
const SKEW_SECONDS = 300

type Refusal = readonly [aadsts: number, text: string]

/** A cluster whose service account is registered with the application (workload identity). */
const CLUSTER = {
  issuer: 'https://cluster.example/oidc',
  subject: 'system:serviceaccount:countersign:countersign',
  audience: 'api://AzureADTokenExchange',
}

const UNPROVEN: Refusal = [700027, 'The certificate used to sign the assertion is not registered.']
const NOT_FEDERATED: Refusal = [
  700213,
  'No matching federated identity record found for the presented assertion.',
]

/** A JWT as a proof of who the client is (RFC 7523 §2.2). `undefined`: it is one. */
export async function checkAssertion(
  assertion: string,
  assertions: ClientAssertions,
  asked: AssertionIssuer,
): Promise<Refusal | undefined> {
  const issuer = issuerOf(assertion)
  if (issuer === CLUSTER.issuer) return await checkFederated(assertion, asked)
  if (issuer === asked.clientId) return await checkCertified(assertion, assertions, asked)
  return NOT_FEDERATED
}

/** What a cluster projects into a file for its workload. */
export async function issueFederatedToken(now: Date): Promise<string> {
  const { privateKey } = await rsaKey('cluster')
  const iat = Math.floor(now.getTime() / 1000)
  return await new SignJWT()
    .setProtectedHeader({ alg: 'RS256', kid: 'cluster' })
    .setIssuer(CLUSTER.issuer)
    .setSubject(CLUSTER.subject)
    .setAudience(CLUSTER.audience)
    .setIssuedAt(iat)
    .setExpirationTime(iat + 3600)
    .sign(privateKey)
}

async function checkFederated(
  assertion: string,
  { now }: AssertionIssuer,
): Promise<Refusal | undefined> {
  const { publicKey } = await rsaKey('cluster')
  const required = { algorithms: ['RS256'], requiredClaims: ['exp'] }
  const options = { ...CLUSTER, ...required, clockTolerance: SKEW_SECONDS }
  const verify = (currentDate: Date) => jwtVerify(assertion, publicKey, { ...options, currentDate })
  return (await isTimely(verify, now)) ? undefined : NOT_FEDERATED
}

async function checkCertified(
  assertion: string,
  { certificatePem }: ClientAssertions,
  { clientId, audiences, now }: AssertionIssuer,
): Promise<Refusal | undefined> {
  const certificate = new X509Certificate(certificatePem)
  const named = (hash: string) => createHash(hash).update(certificate.raw).digest('base64url')
  const verify = async (currentDate: Date) => {
    const { protectedHeader } = await jwtVerify(assertion, certificate.publicKey, {
      algorithms: ['PS256', 'RS256'],
      issuer: clientId,
      subject: clientId,
      audience: [...audiences],
      requiredClaims: ['exp', 'jti'],
      clockTolerance: SKEW_SECONDS,
      currentDate,
    })
    const { x5t, 'x5t#S256': x5tS256 } = protectedHeader
    if (x5t !== named('sha1') && x5tS256 !== named('sha256')) throw new Error('another certificate')
  }
  return (await isTimely(verify, now)) ? undefined : UNPROVEN
}

/** MSAL dates its assertions by the clock of the machine, which a test's clock need not agree with. */
async function isTimely(verify: (now: Date) => Promise<unknown>, now: Date): Promise<boolean> {
  for (const currentDate of [now, new Date()]) {
    try {
      await verify(currentDate)
      return true
    } catch {
      // The other clock may still agree.
    }
  }
  return false
}

function issuerOf(assertion: string): string | undefined {
  try {
    return decodeJwt(assertion).iss
  } catch {
    return undefined
  }
}
