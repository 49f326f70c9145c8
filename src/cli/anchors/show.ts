import { COMMAND } from '../../base/command.ts'
import { fromBase64Url, toHex } from '../../base/encoding.ts'
import { plural } from '../../base/words.ts'
import { describeKey, describeName } from '../../evidence/x509/describe-name.ts'
import { AIK_CERTIFICATE_USAGE, findUnfitAnchor } from '../../evidence/x509/path.ts'
import { EK_ANCHOR_USAGE } from '../../verifier/enrolment/ek-certificate.ts'
import { fields } from '../framework/fields.ts'
import { printJson, printText } from '../framework/output.ts'
import { renderTable } from '../framework/table.ts'
import { admittedBy, describeFleet, type FleetAnchors } from './count-fleet.ts'
import { EK_SETTING, REFERENCE_VALUES } from './in-force.ts'
import { isOwnIssuer, type Root } from './read-roots.ts'

export type Shown = {
  readonly roots: readonly Root[]
  /** Roots that vouch for keys now. */
  readonly inForce: readonly Root[]
  readonly fleet: FleetAnchors
  readonly now: Date
}

/** A line for each root. */
export function listRoots(shown: Shown, json: boolean): number {
  if (json) {
    printJson(toJson(shown))
    return 0
  }
  const { roots } = shown
  if (roots.length === 0) {
    printText(
      `No roots: the reference values in force list none, and neither AK_TRUST_ANCHORS nor EK_TRUST_ANCHORS\nis set where this command runs. A service with the same settings accepts any attestation key.\nSee: ${COMMAND} anchors --help\n`,
    )
    return 0
  }
  const rows = roots.map((root) => {
    const { state, admits } = describe(root, shown)
    const end = isUnknown(root) ? '' : root.notAfter.toISOString().slice(0, 10)
    return [root.name, root.source, end, state, String(admits), sha256Of(root)]
  })
  const head = ['root', 'from', 'ends', 'state', 'admits', 'SHA-256']
  printText(`${renderTable(head, rows)}\n\n${describeFleet(shown.fleet)}${remarkOnSettings(shown)}`)
  return 0
}

/** All that is to be known of each root. */
export function showRoots(shown: Shown, json: boolean): number {
  if (json) {
    printJson(toJson(shown))
    return 0
  }
  const texts = shown.roots.map((root) => {
    const { certificate, known, fingerprint } = root
    const { state, admits, unfit } = describe(root, shown)
    return `${root.name}\n${fields({
      from: root.source,
      subject: certificate && describeName(certificate.subject),
      issuer: certificate && describeName(certificate.issuer),
      key: certificate && describeKey(certificate.spki),
      valid: isUnknown(root)
        ? undefined
        : `${root.notBefore.toISOString()} to ${root.notAfter.toISOString()}`,
      'SHA-256': sha256Of(root),
      'in claims': fingerprint,
      'known as': known,
      state,
      unfit,
      admits: plural(admits, 'device'),
    })}`
  })
  printText(`${texts.join('\n')}\n${describeFleet(shown.fleet)}${remarkOnSettings(shown)}`)
  return 0
}

/** A command cannot know with which settings a service was started elsewhere. */
function remarkOnSettings(shown: Shown): string {
  if (!shown.roots.some((root) => describe(root, shown).state === SET_HERE)) return ''
  return `"${SET_HERE}": in AK_TRUST_ANCHORS or EK_TRUST_ANCHORS of this command. A service trusts what its own settings say.\n`
}

function toJson(shown: Shown): object {
  const { roots, fleet } = shown
  const { devices, isWhole, unknown } = fleet
  return {
    anchors: roots.map((root) => {
      const { certificate } = root
      const { state, admits, unfit } = describe(root, shown)
      return {
        name: root.name,
        source: root.source,
        known: root.known ?? null,
        subject: certificate ? describeName(certificate.subject) : null,
        issuer: certificate ? describeName(certificate.issuer) : null,
        sha256: sha256Of(root),
        fingerprint: root.fingerprint,
        valid_from: isUnknown(root) ? null : root.notBefore.toISOString(),
        valid_until: isUnknown(root) ? null : root.notAfter.toISOString(),
        state,
        unfit: unfit ?? null,
        admits,
      }
    }),
    fleet: { devices, is_whole: isWhole, anchor_unknown: unknown },
  }
}

const SET_HERE = 'set here'

type Description = {
  readonly state:
    | 'in force'
    | typeof SET_HERE
    | 'not in force'
    | 'ended'
    | 'not yet'
    | 'no root'
    | 'unfit'
  readonly admits: number
  readonly unfit: string | undefined
}

function describe(root: Root, { roots, inForce, fleet, now }: Shown): Description {
  const usage = root.source === EK_SETTING ? EK_ANCHOR_USAGE : AIK_CERTIFICATE_USAGE
  const unfit = root.certificate && findUnfitAnchor(root.certificate, usage)
  const admits = admittedBy(root, fleet, [...roots, ...inForce])
  const why = unfit && `${unfit.reason} (${unfit.detail})`
  const is = (state: Description['state']): Description => ({ state, admits, unfit: why })
  if (!isOwnIssuer(root)) return is('no root')
  if (unfit !== undefined) return is('unfit')
  if (now > root.notAfter) return is('ended')
  if (now < root.notBefore) return is('not yet')
  const isSetting = root.source !== REFERENCE_VALUES && inForce.includes(root)
  const standing = inForce.filter(({ fingerprint }) => fingerprint === root.fingerprint)
  if (!isSetting && standing.some(({ source }) => source === REFERENCE_VALUES))
    return is('in force')
  return is(standing.length > 0 ? SET_HERE : 'not in force')
}

/** Of a bare fingerprint nobody knows when its certificate ends. */
function isUnknown({ certificate, known }: Root): boolean {
  return certificate === undefined && known === undefined
}

/** Hexadecimal, as authorities publish it and as OpenSSL prints it without its colons. */
function sha256Of({ fingerprint }: Root): string {
  return toHex(fromBase64Url(fingerprint) ?? new Uint8Array())
}
