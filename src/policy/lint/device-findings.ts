import { type JsonNode, memberOf } from '../../base/json/tree.ts'
import { DEVICE_ALWAYS } from '../document/compile.ts'
import { REQUEST_ROOTS, type RootName } from '../language/variables.ts'
import { type LintedClause, readExpression } from './clause-findings.ts'
import type { LocatedFinding } from './finding.ts'

/**
 * What there is to say of `device`, the condition under which a question has to name one: that it does not
 * compile, that it reads more than the request, and of any but `always` what it opens.
 */
export function findDeviceCondition(
  document: JsonNode,
  text: string,
  clauses: readonly LintedClause[],
): readonly LocatedFinding[] {
  const node = memberOf(document, 'device')?.node
  if (node?.kind !== 'string' || node.value === DEVICE_ALWAYS) return []
  const condition = readExpression(document, 'device', text)
  if (condition?.analysed === undefined) return condition?.findings ?? []
  const at = { member: 'device', offset: node.start } as const
  const other = [...condition.roots].find((root) => !REQUEST_ROOTS.has(root))
  if (other !== undefined) {
    const message = `reads ${other}: whether a device is demanded may hang on subject, resource, action and context alone`
    return [{ severity: 'error', code: 'policy_device_not_of_request', ...at, message }]
  }
  const message = `lets whoever leaves the device out be judged by clauses about the request alone, quarantined devices too${describeDenying(clauses)}: write "always" unless that is meant`
  return [{ severity: 'warning', code: 'policy_device_not_always', ...at, message }]
}

/** Clauses that deny each question without a device, since no `when` about the request passes them over. */
function describeDenying(clauses: readonly LintedClause[]): string {
  const denying = clauses.filter(({ severity, when, require }) => {
    if (severity !== 'enforce') return false
    const isAbout = (roots: ReadonlySet<RootName> | undefined, wanted: boolean) =>
      [...(roots ?? [])].some((root) => REQUEST_ROOTS.has(root) === wanted && root !== 'now')
    return isAbout(require?.roots, false) && !isAbout(when?.roots, true)
  })
  const [first] = denying
  if (first === undefined) return ''
  const [others, deny, them] =
    denying.length > 1 ? [` and ${denying.length - 1} more`, 'deny', 'them'] : ['', 'denies', 'it']
  return ` (but ${first.id ?? 'a clause'}${others} about the device ${deny} each of these questions, as no "when" about the request passes ${them} over)`
}
