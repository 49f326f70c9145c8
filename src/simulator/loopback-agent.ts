import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { z } from 'zod'
import type { Result } from '../base/result.ts'
import type { AgentFailure } from './service-client.ts'
import type { ProvenSignIn } from './sign-in-agent.ts'

const PATH = '/sign-in'
const HOST = '127.0.0.1'
const MAX_BODY_BYTES = 1024

const question = z.strictObject({ sign_in: z.string().max(64) })

export type LoopbackAgent = {
  readonly port: number
  /** What was asked and how it was answered, in order. */
  readonly answered: readonly number[]
  readonly close: () => Promise<void>
}

/**
 * The part of an agent that pages in a browser of this machine ask. It listens on the loopback address alone,
 * answers pages of its own service alone (`Origin`, which a browser sets and no page can change), and only
 * where the request came to that address by its number (`Host`), so that no name of somebody else leads here.
 * What it cannot know is which user or program of the machine asks: a program can send any header.
 */
export async function startLoopbackAgent(options: {
  /** 0 for any that is free. */
  readonly port: number
  /** Of the service: scheme, host and port. */
  readonly origin: string
  readonly prove: (signInId: string) => Promise<Result<ProvenSignIn, AgentFailure>>
}): Promise<LoopbackAgent> {
  const answered: number[] = []
  const server = createServer((request, response) => {
    const { port } = server.address() as AddressInfo
    const origin = options.origin
    answer(request, { ...options, host: `${HOST}:${port}` }).then(
      ({ status, body }) => {
        if (request.method !== 'OPTIONS') answered.push(status)
        send(response, { status, body, origin })
      },
      () => send(response, { status: 500, body: undefined, origin }),
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, HOST, resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    port,
    answered,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

type Answer = { readonly status: number; readonly body?: object | undefined }

async function answer(
  request: IncomingMessage,
  agent: {
    readonly host: string
    readonly origin: string
    readonly prove: (signInId: string) => Promise<Result<ProvenSignIn, AgentFailure>>
  },
): Promise<Answer> {
  const { method, url, headers } = request
  if (headers.host !== agent.host || headers.origin !== agent.origin) return { status: 403 }
  if (url !== PATH) return { status: 404 }
  if (method === 'OPTIONS') return { status: 204 }
  if (method !== 'POST') return { status: 405 }
  // A type that no page can send without having asked first (Fetch §2.2.2).
  if (headers['content-type'] !== 'application/json') return { status: 415 }
  const asked = question.safeParse(await readJson(request))
  if (!asked.success) return { status: 400 }
  const proven = await agent.prove(asked.data.sign_in)
  return proven.ok
    ? { status: 200, body: { ticket: proven.value.ticket } }
    : { status: 502, body: { reason: proven.failure.reason } }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MAX_BODY_BYTES) return undefined
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    return undefined
  }
}

function send(
  response: ServerResponse,
  { status, body, origin }: Answer & { readonly origin: string },
): void {
  response.writeHead(status, {
    'access-control-allow-origin': origin,
    'access-control-allow-methods': 'POST',
    'access-control-allow-headers': 'content-type',
    // Private Network Access, which came before the permission for local networks.
    'access-control-allow-private-network': 'true',
    vary: 'origin',
    'cache-control': 'no-store',
    'content-type': 'application/json',
  })
  response.end(body === undefined ? '' : JSON.stringify(body))
}
