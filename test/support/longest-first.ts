import { relative } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files within workerd are short, and fill what the long ones leave. */
const PROJECTS = ['alone', 'suite', 'edge']

/**
 * What takes longest, by path from the project's root, the longest first: a file that is begun last and
 * takes a minute keeps one processor busy and the others waiting. What is listed in vain costs nothing.
 */
const LONGEST: readonly string[] = [
  'test/operations/backup/backup.test.ts',
  'test/operations/release/whole-fleet.test.ts',
  'test/policy/language/differential.test.ts',
  'test/store/drivers/embedded.test.ts',
  'test/operations/jobs/sweep.test.ts',
  'test/http/console/browser.test.ts',
  'test/cli/first-hour.test.ts',
  'test/upgrade/upgrade.test.ts',
  'test/cli/service.test.ts',
  'test/evidence/x509/openssl.test.ts',
  'test/store/drivers/hyperdrive.test.ts',
  'test/cli/serve.test.ts',
  'test/worker/relay.test.ts',
  'test/operations/release/bad-reference-values.test.ts',
  'test/http/agent/vendor-agent.test.ts',
  'test/operations/release/bad-request-clauses.test.ts',
  'test/operations/release/preview-over-time.test.ts',
  'test/faults/kill.test.ts',
  'test/operations/release/bad-policies.test.ts',
  'test/operations/jobs/watch-verifiers.test.ts',
  'test/cli/postgres.test.ts',
  'test/faults/outage.test.ts',
  'test/operations/jobs/steering-attacks.test.ts',
  'test/operations/release/policies-over-time.test.ts',
  'test/store/devices/crash.test.ts',
  'test/cli/developer.test.ts',
  'test/cli/administration.test.ts',
  'test/operations/release/killed.test.ts',
  'test/cli/edge/dev-edge.test.ts',
  'test/cli/demo.test.ts',
  'test/store/drivers/pglite.test.ts',
  'test/conformance/ssf/receiver.test.ts',
  'test/faults/push-receivers.test.ts',
  'test/operations/keys/rotation-live.test.ts',
  'test/cli/client-keys.test.ts',
  'test/faults/start-without-database.test.ts',
  'test/upgrade/beside.test.ts',
  'test/left-out.test.ts',
  'test/http/agent/enrolment-swtpm.test.ts',
  'test/cli/policy.test.ts',
  'test/http/server.test.ts',
  'test/store/drivers/postgres.test.ts',
  'test/cli/receipt.test.ts',
  'test/http/agent/relay.test.ts',
  'test/store/drivers/pgbouncer.test.ts',
  'test/cli/command-form.test.ts',
  'test/verifier/substitution-swtpm.test.ts',
  'test/cli/vectors/every-refusal.test.ts',
  'test/evidence/tpm/make-credential.test.ts',
  'test/cli/inspect/request.test.ts',
  'test/store/schema.test.ts',
  'test/simulator/load.test.ts',
  'test/cli/policy/way-back.test.ts',
  'test/worker/worker.test.ts',
  'test/cli/vectors/export.test.ts',
  'test/operations/release/release.test.ts',
  'test/evidence/tpm/swtpm.test.ts',
  'test/cli/rollout.test.ts',
  'test/cli/vectors/replay.test.ts',
  'test/azure/provider-policy/provider-policy-workerd.test.ts',
  'test/keys/key-ring.test.ts',
  'test/verifier/swtpm.test.ts',
  'test/store/drivers/bounded-store.test.ts',
  'test/store/drivers/statement-limits.test.ts',
  'test/verifier/substitution.test.ts',
  'test/fuzz/fuzz.test.ts',
  'test/cli/keys.test.ts',
  'test/cli/azure.test.ts',
  'test/store/drivers/embedded-socket.test.ts',
]

/** Runs the longest files first. Those that are not listed go by how long they took before, or by their size. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const rank = new Map(sorted.map((file) => [file, rankOf(file, this.ctx.config.root)]))
    return sorted.toSorted((a, b) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0))
  }
}

function rankOf({ project, moduleId }: TestSpecification, root: string): number {
  const { groupOrder } = project.config.sequence
  const place = LONGEST.indexOf(relative(root, moduleId))
  const within = place === -1 ? LONGEST.length : place
  return (groupOrder * PROJECTS.length + PROJECTS.indexOf(project.name)) * 1000 + within
}
