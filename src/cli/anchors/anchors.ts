import { requiresHardware } from '../../config/trust-anchors.ts'
import { group, type Verb, verb } from '../framework/command.ts'
import { confirmer } from '../framework/confirm.ts'
import { repeated, required, text, YES } from '../framework/options.ts'
import { listenForStop } from '../framework/signals.ts'
import { RELEASE_EXITS, RELEASE_OPTIONS, readRelease } from '../policy/options.ts'
import { countAnchors } from './count-fleet.ts'
import { importRoots } from './import.ts'
import { readRootsInForce } from './in-force.ts'
import { readRoots } from './read-roots.ts'
import { listRoots, showRoots } from './show.ts'

const FILE = text(
  'FILE',
  'a file of certificates (PEM, DER, PKCS #7), a folder of such files, or the name of a root that is known here: microsoft-tpm-root-2014, or microsoft for all of Microsoft',
)

export const command = group({
  about: `Trust anchors are the root certificates of the authorities that certify attestation keys.
Certificates between a root and a device are fetched where they are published, and need no import.`,
  verbs: {
    list: looking({
      summary: 'list the roots in force, or those of files, and for how many devices each vouches',
      print: listRoots,
    }),
    show: looking({ summary: 'say all that is to be known of each root', print: showRoots }),
    import: verb({
      summary: 'list the roots of files in the reference values, and bring these into force',
      about: 'It does so as policy apply does: lint, preview, and a rollout in a large fleet.',
      database: 'existing',
      arguments: { files: repeated(required(FILE)) },
      options: { reason: text('TEXT', 'why; kept in the audit log'), yes: YES, ...RELEASE_OPTIONS },
      json: 'the reference values and what became of them; a preview that it makes is a line before that',
      exits: RELEASE_EXITS,
      stopped: 'Nothing came into force.',
      run({ files, reason, yes, json, ...values }) {
        const confirm = confirmer({ json, yes })
        const roots = readRoots(files)
        const options = { ...readRelease(values), json, reason, confirm }
        return (store, config) =>
          importRoots(store, roots, { ...options, requiresHardware: requiresHardware(config) })
      },
    }),
  },
})

function looking({ summary, print }: { summary: string; print: typeof listRoots }): Verb {
  return verb({
    summary,
    database: 'existing',
    arguments: { files: repeated(FILE) },
    json: 'the roots, and what is known of the fleet',
    exits: { interrupted: 'stopped' },
    run({ files, json }) {
      const given = readRoots(files)
      return async (store, config) => {
        const inForce = await readRootsInForce(store, config)
        const roots = files.length === 0 ? inForce : given
        const fleet = await countAnchors(store, listenForStop())
        return print({ roots, inForce, fleet, now: new Date() }, json)
      }
    },
  })
}
