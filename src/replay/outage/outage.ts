/** What is assumed. */
export type Outage = {
  /** Issuer; `undefined` for all of them. */
  readonly verifier: string | undefined
  /** Not before now. */
  readonly from: Date
  /** After `from`. */
  readonly until: Date
  readonly stepMs: number
  readonly graceMs: number
}
