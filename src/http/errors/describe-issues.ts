import type { z } from 'zod'

/** What is wrong with a body or a query: each mistake after the member that has it. */
export function describeIssues({ issues }: z.ZodError): string {
  return issues
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`))
    .join('; ')
}
