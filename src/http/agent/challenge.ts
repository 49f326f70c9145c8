import { Hono } from 'hono'
import { deviceIdOf, parseDeviceKey } from '../../access/device-id.ts'
import { toBase64Url } from '../../base/encoding.ts'
import type { Services } from '../../compose/services.ts'
import { sealNonce } from '../../evidence/nonce.ts'
import type { HttpEnv } from '../environment.ts'
import { answerProblem } from '../errors/problem.ts'
import { readJson } from '../read-json.ts'

const MAX_CHALLENGE_BYTES = 1024

/**
 * `POST /v1/challenge`: a nonce for one device key. The nonce carries its own proof, so a flood of
 * these writes nothing; and as nobody has proven the key yet, nobody is charged for them.
 */
export function challengeRoutes(services: Services): Hono<HttpEnv> {
  return new Hono<HttpEnv>().post('/v1/challenge', async (c) => {
    const body = await readJson(c, MAX_CHALLENGE_BYTES)
    if (!body.ok) return answerProblem(c, body.failure.reason, body.failure.detail)
    const deviceKey = parseDeviceKey(Object(body.value).device_key)
    if (deviceKey === undefined) {
      const detail =
        'device_key must be the base64 of the SHA-256 of the attestation key (32 bytes)'
      return answerProblem(c, 'request_malformed', detail)
    }
    const lifetime = services.config.challengeTtlSeconds * 1000
    const expiresAt = new Date(services.clock().getTime() + lifetime)
    const nonce = sealNonce({
      secret: services.secrets.nonce,
      deviceKey,
      random: services.random(16),
      expiresAt,
    })
    return c.json({
      nonce: toBase64Url(nonce),
      expires_at: expiresAt.toISOString(),
      device_id: deviceIdOf(deviceKey),
    })
  })
}
