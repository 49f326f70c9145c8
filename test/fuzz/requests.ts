import { fromBase64Url, fromUtf8, toBase64Url } from '../../src/base/encoding.ts'
import { AttestationAgent } from '../../src/simulator/agent.ts'
import { primeSharingKeys } from '../../src/simulator/key-source.ts'
import { startVirtualDevice } from '../../src/simulator/virtual-device.ts'

/** Attestation requests of every form that a virtual device makes, as compact JWS. */
export async function makeRequests(): Promise<readonly string[]> {
  const device = await startVirtualDevice({ name: 'fuzz', keys: primeSharingKeys() })
  const requests: string[] = []
  for (const requestVersion of [1, 2] as const) {
    for (const binding of ['quote', 'certify'] as const) {
      const fetch = async (request: Request) => answer(await request.json(), requests)
      const baseUrl = 'https://countersign.example'
      const agent = new AttestationAgent({
        device,
        baseUrl,
        fetch,
        requestVersion,
        binding,
        maxAttempts: 1,
      })
      await agent.attest()
    }
  }
  return requests
}

/** Says what lets the agent go on, and notes its request. */
function answer(body: unknown, requests: string[]): Response {
  const { data } = Object(body)
  if (typeof data !== 'string') {
    return Response.json({
      nonce: 'bm9uY2U',
      expires_at: '2100-01-01T00:00:00Z',
      device_id: 'dev_x',
    })
  }
  const { payload } = JSON.parse(fromUtf8(fromBase64Url(data) ?? new Uint8Array()) ?? '{}')
  if (typeof payload.request === 'string') {
    requests.push(payload.request)
    return Response.json({}, { status: 400 })
  }
  const challenge = { challenge: toBase64Url(new Uint8Array(16)), service_context: 'e30' }
  const text = JSON.stringify({ payload: challenge })
  return Response.json({ data: toBase64Url(new TextEncoder().encode(text)) })
}
