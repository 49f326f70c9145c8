/** What an API client may do. */
export const SCOPES = [
  'access.evaluate',
  'admin.read',
  'admin.write',
  'ssf.read',
  'ssf.manage',
] as const

export type Scope = (typeof SCOPES)[number]
