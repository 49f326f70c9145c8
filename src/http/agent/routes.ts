import { Hono } from 'hono'
import type { ChallengeDependencies } from '../../operations/attest/challenge.ts'
import type { HttpEnv } from '../environment.ts'
import { attestTpmRoutes, type TpmServices } from './attest-tpm.ts'
import { attestationRoutes, type SubmissionServices } from './attestations.ts'
import { challengeRoutes } from './challenge.ts'
import { type EnrolmentRouteServices, enrolmentRoutes } from './enrolments.ts'

/** What the routes of agents work with. */
export type AgentServices = ChallengeDependencies &
  TpmServices &
  SubmissionServices &
  EnrolmentRouteServices

/** What agents ask for: challenges, verification of evidence, enrolment and recording. */
export function agentRoutes(services: AgentServices): Hono<HttpEnv> {
  return new Hono<HttpEnv>()
    .route('/', challengeRoutes(services))
    .route('/', attestTpmRoutes(services))
    .route('/', attestationRoutes(services))
    .route('/', enrolmentRoutes(services))
}
