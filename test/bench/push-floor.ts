import { generateKeyPairSync, sign } from 'node:crypto'
import { Agent, request } from 'node:https'
import { promisify } from 'node:util'
import { countUp, readInput, runConcurrently, say } from './variant.ts'

export type PushFloorInput = {
  readonly url: string
  readonly caPem: string
  readonly tokens: number
  /** A token as the service makes it, whose claims are signed again each time. */
  readonly claims: string
}

/** As many as the service has under way to one stream. */
const CONCURRENCY = 32

/** What any transmitter has to do for a token: sign it (RS256, 2048 bits) and send it over a connection that is kept. */
const { url, caPem, tokens, claims } = readInput<PushFloorInput>()
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const signAsync = promisify(sign)
const header = Buffer.from('{"alg":"RS256","typ":"secevent+jwt"}').toString('base64url')
const payload = Buffer.from(claims).toString('base64url')
const agent = new Agent({ keepAlive: true, ca: caPem })

await runConcurrently(CONCURRENCY, { next: countUp(0, CONCURRENCY * 4), run: push })
const begun = performance.now()
await runConcurrently(CONCURRENCY, { next: countUp(0, tokens), run: push })
say({ perSecond: (tokens * 1000) / (performance.now() - begun) })
agent.destroy()

async function push(): Promise<void> {
  const signed = Buffer.from(`${header}.${payload}`)
  const signature = await signAsync('sha256', signed, privateKey)
  const token = `${signed}.${signature.toString('base64url')}`
  await new Promise<void>((resolve, reject) => {
    const headers = {
      'content-type': 'application/secevent+jwt',
      'content-length': Buffer.byteLength(token),
    }
    const sent = request(url, { method: 'POST', agent, headers }, (response) => {
      response.resume().on('end', resolve).on('error', reject)
    })
    sent.on('error', reject)
    sent.end(token)
  })
}
