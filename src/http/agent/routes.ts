import { Hono } from 'hono'
import type { Services } from '../../compose/services.ts'
import type { HttpEnv } from '../environment.ts'
import { attestTpmRoutes } from './attest-tpm.ts'
import { attestationRoutes } from './attestations.ts'
import { challengeRoutes } from './challenge.ts'
import { enrolmentRoutes } from './enrolments.ts'

/** What the routes of agents work with. */
export type AgentServices = Services

/** What agents ask for: challenges, verification of evidence, enrolment and recording. */
export function agentRoutes(services: AgentServices): Hono<HttpEnv> {
  return new Hono<HttpEnv>()
    .route('/', challengeRoutes(services))
    .route('/', attestTpmRoutes(services))
    .route('/', attestationRoutes(services))
    .route('/', enrolmentRoutes(services))
}
