import type { z } from 'zod'
import { describeIssue } from '../../base/fields.ts'
import { suggestName } from '../../policy/language/suggest.ts'

/** What is wrong with a body or a query: each mistake after the member that has it. */
export function describeIssues({ issues }: z.ZodError, schema: z.ZodType): string {
  return withoutFollowing(issues)
    .map((issue) => {
      const { path } = issue
      if (path.length > 0) return `${path.join('.')}: ${describeIssue(issue)}`
      return describeMisspelt(issue, schema) ?? describeIssue(issue)
    })
    .join('; ')
}

/** Where the type is wrong, what else is said of the same member only follows from that. */
function withoutFollowing(issues: readonly z.core.$ZodIssue[]): readonly z.core.$ZodIssue[] {
  const pathOf = ({ path }: z.core.$ZodIssue) => JSON.stringify(path)
  const mistyped = issues.filter(({ code }) => code === 'invalid_type')
  const paths = new Set(mistyped.map(pathOf))
  return issues.filter((issue) => issue.code === 'invalid_type' || !paths.has(pathOf(issue)))
}

/** Of one member that there is not: which of those that there are was meant. */
function describeMisspelt(issue: z.core.$ZodIssue, schema: z.ZodType): string | undefined {
  if (issue.code !== 'unrecognized_keys' || !('shape' in schema)) return undefined
  const [key = '', ...others] = issue.keys
  const meant =
    others.length === 0 ? suggestName(key, Object.keys(Object(schema.shape))) : undefined
  return meant && `there is no member "${key}" here: did you mean ${meant}?`
}
