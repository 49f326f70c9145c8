import { answer, runScheduledJobs } from './compose/worker-service.ts'

/** The service on Cloudflare Workers. */
export default { fetch: answer, scheduled: runScheduledJobs }
