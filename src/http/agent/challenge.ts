import { Hono } from 'hono'
import { parseDeviceKey } from '../../access/device-id.ts'
import { toBase64Url } from '../../base/encoding.ts'
import { DEVICE_KEY_FORM } from '../../evidence/device-key.ts'
import { type ChallengeDependencies, issueChallenge } from '../../operations/attest/challenge.ts'
import type { HttpEnv } from '../environment.ts'
import { answerProblem, answerRequestFailure } from '../errors/problem.ts'
import { readJson } from '../read-json.ts'

const MAX_CHALLENGE_BYTES = 1024

/** `POST /v1/challenge`: a nonce for one device key. */
export function challengeRoutes(services: ChallengeDependencies): Hono<HttpEnv> {
  return new Hono<HttpEnv>().post('/v1/challenge', async (c) => {
    const body = await readJson(c, MAX_CHALLENGE_BYTES)
    if (!body.ok) return answerRequestFailure(c, body.failure)
    const deviceKey = parseDeviceKey(Object(body.value).device_key)
    if (deviceKey === undefined) {
      const detail =
        'device_key must be the base64 of the SHA-256 of the attestation key (32 bytes)'
      const where = { member: 'device_key' }
      return answerProblem(c, 'request_malformed', detail, { where, expected: DEVICE_KEY_FORM })
    }
    const { nonce, expiresAt, deviceId } = issueChallenge(services, deviceKey)
    return c.json({
      nonce: toBase64Url(nonce),
      expires_at: expiresAt.toISOString(),
      device_id: deviceId,
    })
  })
}
