import type { z } from 'zod'
import { describeIssue } from '../../base/fields.ts'

/** What is wrong with a body or a query: each mistake after the member that has it. */
export function describeIssues({ issues }: z.ZodError): string {
  return issues
    .map((issue) => {
      const { path } = issue
      const message = describeIssue(issue)
      return path.length === 0 ? message : `${path.join('.')}: ${message}`
    })
    .join('; ')
}
