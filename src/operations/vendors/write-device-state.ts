import { CredentialError } from '../../azure/credential-error.ts'
import type { ForgettingCredential } from '../../azure/token-cache.ts'
import type { PushOutcome } from '../../signals/push-answer.ts'
import {
  type DeviceState,
  type EntraTarget,
  type GoogleTarget,
  NO_GOOGLE_ACCOUNT,
  type StateTarget,
} from '../../signals/state-target.ts'
import { describeDeviceUpdate, readGraphAnswer } from '../../vendors/entra/device-attribute.ts'
import {
  describeClientState,
  describeDeviceQuery,
  describeUserQuery,
  GOOGLE_SCOPE,
  GOOGLE_URL,
  readDevices,
  readDeviceUsers,
  readGoogleFailure,
  readOperation,
} from '../../vendors/google/client-state.ts'
import { laterOf, type StateAnswer, type StateRequest } from '../../vendors/state-request.ts'
import { type AskJsonDependencies, askJson } from './ask-json.ts'

export type DeviceStateDependencies = AskJsonDependencies & {
  readonly entra: {
    /** Of an application with `Device.ReadWrite.All`. */
    readonly credential: ForgettingCredential
    /** Microsoft Graph of the cloud: `https://graph.microsoft.com`. */
    readonly graphUrl: string
  }
  /** Absent where no service account is configured. */
  readonly google: { readonly credential: ForgettingCredential } | undefined
}

/**
 * Writes the state of a device where a target wants it; without a device looks only whether it is let in. Never
 * throws for what is the other side's doing. That something is written twice changes nothing; what was true before
 * must not be written after what is true now: so `mayGoOn` is asked before each request, as a token and what is asked
 * for first may have taken so long that another process has the stream.
 */
export type WriteDeviceState = (
  target: StateTarget,
  device: DeviceState | undefined,
  mayGoOn: () => Promise<boolean>,
) => Promise<PushOutcome>

/** The outcome where `mayGoOn` said no: whoever goes on with it need not wait. */
export const GIVEN_BACK = laterOf('another process goes on with it', undefined)

/** The longest that one request takes, whatever the configuration says: shorter than a process has a stream for. */
const LONGEST_REQUEST_MS = 10_000

export function createDeviceStateWriter(input: DeviceStateDependencies): WriteDeviceState {
  const timeoutMs = Math.min(input.timeoutMs, LONGEST_REQUEST_MS)
  const dependencies = { ...input, timeoutMs }
  const { entra, google } = dependencies
  return async (target, device, mayGoOn) => {
    if (target.kind === 'entra') {
      const place = { ...entra, url: entra.graphUrl, scope: '/.default', mayGoOn }
      const ask = asker(dependencies, place)
      return device === undefined ? ask.test() : writeToEntra(ask, target, device)
    }
    if (google === undefined) return laterOf(NO_GOOGLE_ACCOUNT, undefined)
    const place = { ...google, url: GOOGLE_URL, scope: GOOGLE_SCOPE, mayGoOn }
    const ask = asker(dependencies, place)
    return device === undefined ? ask.test() : writeToGoogle(ask, target, device)
  }
}

async function writeToEntra(
  ask: Asker,
  { attribute }: EntraTarget,
  device: DeviceState,
): Promise<PushOutcome> {
  const request = describeDeviceUpdate(device, attribute)
  if ('kind' in request) return request
  const asked = await ask.ask(request)
  return 'kind' in asked ? asked : readGraphAnswer(asked)
}

/** Google knows devices by names of its own: two questions come before what is written. */
async function writeToGoogle(
  ask: Asker,
  target: GoogleTarget,
  device: DeviceState,
): Promise<PushOutcome> {
  const query = describeDeviceQuery(device)
  if ('kind' in query) return query
  const devices = await askGoogle(ask, query)
  if ('kind' in devices) return devices
  const name = readDevices(devices.body, device.serial ?? '')
  if (typeof name !== 'string') return name
  const users = await askGoogle(ask, describeUserQuery(name))
  if ('kind' in users) return users
  const user = readDeviceUsers(users.body, device.owner ?? '')
  if (typeof user !== 'string') return user
  const written = await askGoogle(ask, describeClientState(user, target, device))
  return 'kind' in written ? written : readOperation(written.body)
}

async function askGoogle(
  { ask }: Asker,
  request: StateRequest,
): Promise<StateAnswer | PushOutcome> {
  const asked = await ask(request)
  return 'kind' in asked ? asked : (readGoogleFailure(asked) ?? asked)
}

/** Asks one directory, in the name of a credential. */
type Asker = {
  readonly ask: (request: StateRequest) => Promise<StateAnswer | PushOutcome>
  readonly test: () => Promise<PushOutcome>
}

function asker(
  dependencies: DeviceStateDependencies,
  place: {
    readonly credential: ForgettingCredential
    readonly url: string
    readonly scope: string
    readonly mayGoOn: () => Promise<boolean>
  },
): Asker {
  const { credential, url, mayGoOn } = place
  const scope = place.scope.startsWith('/') ? url + place.scope : place.scope
  const tokenOr = async (): Promise<string | PushOutcome> => {
    const abortSignal = AbortSignal.timeout(dependencies.timeoutMs)
    try {
      const token = await credential.getToken(scope, { abortSignal })
      return token?.token ?? laterOf('no token', undefined)
    } catch (error) {
      if (!(error instanceof CredentialError)) throw error
      const { reason, retryAfterSeconds } = error.failure
      return laterOf(reason, retryAfterSeconds)
    }
  }
  return {
    async ask({ method, path, body }) {
      const token = await tokenOr()
      if (typeof token !== 'string') return token
      if (!(await mayGoOn())) return GIVEN_BACK
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      const answer = await askJson(dependencies, url + path, { method, headers, body })
      if (answer?.status === 401) credential.forget(token)
      return answer ?? laterOf('no answer', undefined)
    },
    async test() {
      const token = await tokenOr()
      return typeof token === 'string' ? { kind: 'delivered' } : token
    },
  }
}
