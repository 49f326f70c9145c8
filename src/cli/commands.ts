import { setFlagsFromString } from 'node:v8'
import type { Command } from './framework/command.ts'

/** A noun of the command line. Its module is loaded when it is called, so that each starts fast. */
type Entry = {
  /** Its line in the overview. */
  readonly summary: string
  readonly load: () => Promise<{ readonly command: Command }>
}

/** Every noun, in the order of the overview. */
export const COMMANDS: Readonly<Record<string, Entry>> = {
  serve: {
    summary: 'run the service',
    load: () => import('./serve/serve.ts'),
  },
  migrate: {
    summary: 'bring the database to the schema of this version',
    load: () => import('./migrate/migrate.ts'),
  },
  backup: {
    summary: 'write the embedded database into one file, while the service runs',
    load: () => import('./backup/backup.ts'),
  },
  restore: {
    summary: 'make a data directory of a backup',
    load: () => import('./restore/restore.ts'),
  },
  demo: {
    summary: 'watch virtual devices attest and be granted or denied',
    load: () => import('./demo/demo.ts'),
  },
  simulate: {
    summary: 'let virtual devices attest against a running service',
    load: () => import('./simulate/simulate.ts'),
  },
  'sign-in': {
    summary: 'play the agent of a virtual device that proves itself for sign-ins',
    load: () => import('./sign-in/sign-in.ts'),
  },
  inspect: {
    summary: 'explain a message of an agent, token, boot log, TPM quote or report',
    load: () => import('./inspect/inspect.ts'),
  },
  vectors: {
    summary: 'write the golden vectors that agents are held against',
    load: () => import('./vectors/vectors.ts'),
  },
  errors: {
    summary: 'explain a code of an answer, of the log or of a trace',
    load: () => import('./errors/errors.ts'),
  },
  clients: {
    summary: 'create, list, rotate or disable API clients',
    load: () => import('./clients/clients.ts'),
  },
  people: {
    summary: 'list who is signed in to the console, end sessions, make a one-time link',
    load: () => import('./people/people.ts'),
  },
  devices: {
    summary: 'find, export, show, explain, label, import, quarantine or admit devices',
    load: () => sparing(() => import('./devices/devices.ts')),
  },
  entities: {
    summary: 'import, list, export or remove what is known of users, resources and actions',
    load: () => sparing(() => import('./entities/entities.ts')),
  },
  authzen: {
    summary: 'load the fixture of the AuthZEN certification into an empty database',
    load: () => import('./authzen/authzen.ts'),
  },
  audit: {
    summary: 'list, export and verify the log of who changed what, and when',
    load: () => import('./audit/audit.ts'),
  },
  receipt: {
    summary: 'verify a decision receipt offline, or export what it was made from',
    load: () => import('./receipt/receipt.ts'),
  },
  decide: {
    summary: 'ask what would be decided, and why, about a device or about claims',
    load: () => import('./decide/decide.ts'),
  },
  policy: {
    summary: 'lint, test, preview, apply and bring back policies and reference values',
    load: () => sparing(() => import('./policy/policy.ts')),
  },
  anchors: {
    summary: 'list, show or import the roots that vouch for attestation keys',
    load: () => sparing(() => import('./anchors/anchors.ts')),
  },
  'break-glass': {
    summary: 'make keys and sign tokens that grant access when nothing else answers',
    load: () => import('./break-glass/break-glass.ts'),
  },
  rollout: {
    summary: 'bring a document to the fleet ring by ring; pin or allow single devices',
    load: () => sparing(() => import('./rollout/rollout.ts')),
  },
  streams: {
    summary: 'list, test, pause or end streams of events, and replay what was refused',
    load: () => import('./streams/streams.ts'),
  },
  alarms: {
    summary: 'see what is wrong now, and have it told to others by webhooks',
    load: () => import('./alarms/alarms.ts'),
  },
  expiry: {
    summary: 'see what ends by itself, and which devices would fail by then',
    load: () => sparing(() => import('./expiry/expiry.ts')),
  },
  holds: {
    summary: 'list or end holds of causes that too many good devices met at once',
    load: () => import('./holds/holds.ts'),
  },
  keys: {
    summary: 'list, rotate or retire the keys that the service signs with',
    load: () => import('./keys/keys.ts'),
  },
  drill: {
    summary: 'rehearse an outage: who would be denied, and when',
    load: () => sparing(() => import('./drill/drill.ts')),
  },
  completion: {
    summary: 'print what completes this command line in bash, zsh or fish',
    async load() {
      const { completing } = await import('./completion/completion.ts')
      return { command: completing(COMMANDS) }
    },
  },
  azure: {
    summary: 'read, publish and pin the policy of an Azure Attestation provider',
    load: () => import('./azure/azure.ts'),
  },
}

/**
 * For commands that go through a whole fleet. That makes much garbage which lives for a moment, and
 * V8 answers with ever more room for it: half a gigabyte for a million devices, and no faster. Said
 * before anything is loaded, which would grow that room already.
 */
function sparing<T>(load: () => Promise<T>): Promise<T> {
  setFlagsFromString('--semi-space-growth-factor=1')
  return load()
}
