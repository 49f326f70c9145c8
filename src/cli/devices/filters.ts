import { VERDICTS } from '../../access/trust-record.ts'
import type { Config } from '../../config/config.ts'
import { requiresHardware } from '../../config/trust-anchors.ts'
import type { DeviceSearch, FindDependencies } from '../../operations/devices/find-devices.ts'
import { createRulesReader, type RulesReader } from '../../operations/release/rules-in-force.ts'
import type { Store } from '../../store/store.ts'
import { count, moment, oneOf, repeated, text, type ValuesOf } from '../framework/options.ts'

/** Which devices are meant: the same for every verb that is about many of them. */
export const FILTERS = {
  search: text(
    'TEXT',
    'beginning of a device id, Entra device id, serial number, owner or name, or a label',
  ),
  verdict: oneOf('VERDICT', VERDICTS.join(', '), VERDICTS),
  enrolment: oneOf('STATE', 'admitted or pending', ['admitted', 'pending']),
  clause: text('ID', 'those that do not meet this clause'),
  severity: oneOf('SEVERITY', 'enforce or report: of a clause that is not met', [
    'enforce',
    'report',
  ]),
  label: repeated(text('LABEL', 'those that have this label')),
  owner: text('OWNER', 'those of this owner'),
  issuer: text('URL', 'those whose last attestation this verifier vouched for'),
  ring: count('N', 'those of this ring, from 0 to 99', { most: 99 }),
  attestedBefore: moment('TIME', 'those that attested last before a time, or so long ago: 7d'),
  attestedAfter: moment('TIME', 'those that attested last at a time or after it'),
  override: oneOf('KIND', 'any, allow or pin: those that an exception is in force for', [
    'any',
    'allow',
    'pin',
  ]),
}

export function searchOf({ label, ...values }: ValuesOf<typeof FILTERS>): DeviceSearch {
  const { search, verdict, enrolment, clause, severity, owner, issuer, override } = values
  const { ring, attestedBefore, attestedAfter } = values
  return {
    ...{ search, verdict, enrolment, clause, severity, owner, issuer, override },
    ...{ ring, attestedBefore, attestedAfter, labels: label },
  }
}

/** What finds devices for a command, and says what is in force for them. */
export function deviceFinder(
  store: Store,
  config: Config,
): FindDependencies & { readonly store: Store; readonly rules: RulesReader } {
  const clock = () => new Date()
  const rules = createRulesReader(store, {
    clock,
    outageGraceMs: config.outageGraceSeconds * 1000,
    requiresHardware: requiresHardware(config),
  })
  return { store, rules, clock }
}
