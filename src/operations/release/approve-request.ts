import { err, ok, type Result } from '../../base/result.ts'
import type { Store } from '../../store/store.ts'
import type { SECONDING_REASONS } from './second-administrator.ts'

/** Why a request of somebody else cannot be approved of. */
export const APPROVAL_REASONS = ['second_request_not_found', 'second_request_own'] as const

export type ApprovalFailure = {
  readonly reason: (typeof APPROVAL_REASONS)[number] | (typeof SECONDING_REASONS)[number]
}

/** A request that waits, as it was sent: whoever approves of it has it carried out as it stands. */
export type RequestToApprove = {
  readonly method: string
  readonly path: string
  /** With the reason of who approves in the place of the one of who asked, where a reason was asked for. */
  readonly body: string
}

/** Finds the request that somebody else asked for and `by` approves of. */
export async function findRequestToApprove(
  store: Pick<Store, 'findSecondRequest'>,
  asked: {
    readonly id: string
    readonly by: string
    readonly reason: string
    readonly now: Date
  },
): Promise<Result<RequestToApprove, ApprovalFailure>> {
  const found = await store.findSecondRequest(asked.id, asked.now)
  if (found?.body == null) return err({ reason: 'second_request_not_found' })
  if (found.requestedBy === asked.by) return err({ reason: 'second_request_own' })
  const [method = '', path = ''] = found.request.split(' ')
  const sent: object = JSON.parse(found.body)
  const body = JSON.stringify('reason' in sent ? { ...sent, reason: asked.reason } : sent)
  return ok({ method, path, body })
}
