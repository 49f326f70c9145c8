import { mayDo } from '../../oauth/scopes.ts'
import {
  type SecondAdministrator,
  secondFor,
} from '../../operations/release/second-administrator.ts'
import type { HttpContext } from '../environment.ts'
import type { PageServices } from './services.ts'

/**
 * The second administrator that an operation may ask for to carry out what a form asks. Where `request` and `body` are
 * those of the API (`isOfApi`), whoever approves there carries out the same; else whoever approves sends the same form. Who approves only (`isSecond`) asks for nothing.
 */
export function secondOfPage(
  c: HttpContext,
  { second }: Pick<PageServices, 'second'>,
  asked: {
    readonly request: string
    readonly body: object
    readonly isOfApi: boolean
    readonly isSecond?: boolean
  },
): SecondAdministrator {
  const { request, body, isOfApi, isSecond = false } = asked
  const { clientId: by, scopes } = c.get('client')
  return secondFor(second, {
    ...{ request, body, by, text: isOfApi ? JSON.stringify(body) : undefined },
    mayAsk: !isSecond,
    maySecond: mayDo(scopes, 'admin.approve'),
  })
}
