import { AsyncLocalStorage } from 'node:async_hooks'

/**
 * From where a change comes and by which request, for the audit: as whoever is connected to us says it, and
 * proven by nothing.
 */
export type AuditedRequest =
  | {
      /** As the answer has it in `X-Request-ID`. */
      readonly id: string
      readonly method: string
      readonly path: string
      /** Of the other end of the connection, which may be a proxy. */
      readonly address?: string
      /** `X-Forwarded-For`, which whoever asks can make up unless a proxy sets it. */
      readonly forwarded_for?: string
    }
  | {
      /** The words of a command of this machine, without its options. */
      readonly command: string
    }

const current = new AsyncLocalStorage<AuditedRequest>()

/** Whatever `run` has written into the audit log is said to come from this request. */
export function forRequest<T>(request: AuditedRequest, run: () => T): T {
  return current.run(request, run)
}

/** The request that is being answered; `undefined` for what a job does by itself. */
export function auditedRequest(): AuditedRequest | undefined {
  return current.getStore()
}
