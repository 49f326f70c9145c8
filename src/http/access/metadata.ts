import { Hono } from 'hono'
import {
  type AuthzenConfiguration,
  describeDecisionPoint,
  metadataPath,
  type SignedConfiguration,
} from '../../access/metadata.ts'
import type { HttpEnv } from '../environment.ts'
import { answerPublic } from '../public-document.ts'

export type MetadataServices = {
  /** Of this decision point. */
  readonly publicUrl: string
  readonly signMetadata: (configuration: AuthzenConfiguration) => Promise<SignedConfiguration>
}

/** AuthZEN §9: what is served here, and where. For an identifier with a path also at its own place. */
export function metadataRoutes({ publicUrl, signMetadata }: MetadataServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const configuration = describeDecisionPoint(publicUrl)
  for (const path of new Set([metadataPath(new URL(publicUrl).origin), metadataPath(publicUrl)])) {
    app.get(path, async (c) => answerPublic(c, await signMetadata(configuration)))
  }
  return app
}
