import { toBase64Url } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { JwksFetchFailure, PublishedKeySets } from '../../keysets/key-sets.ts'
import type { Form } from '../../oauth/token-form.ts'
import type { Store } from '../../store/store.ts'
import {
  type Person,
  readSignInPlace,
  readSignInRequest,
  type SignInPlace,
  type SignInPlaceFailure,
  type SignInRequestFailure,
} from '../../vendors/oidc/authentication-request.ts'
import {
  type IdTokenHintFailure,
  keyNameOfHint,
  verifyIdTokenHint,
} from '../../vendors/oidc/id-token-hint.ts'
import type { SignInClient } from '../../vendors/oidc/sign-in-clients.ts'
import { hashOfCookie } from './find-sign-in.ts'
import { newSignInName } from './sign-in-name.ts'

export type BeginSignInDependencies = {
  readonly store: Pick<Store, 'beginSignIn'>
  readonly signInClients: readonly SignInClient[]
  /** Those of Entra tenants among them. */
  readonly keySets: PublishedKeySets
  readonly clockSkewSeconds: number
  readonly clock: () => Date
  /** Fresh random bytes. */
  readonly random: (length: number) => Uint8Array
}

export type BegunForBrowser = {
  readonly signInId: string
  /** For this browser and nobody else: whoever has it can go on with the sign-in. */
  readonly cookie: string
}

export type BeginFailure = SignInRequestFailure | IdTokenHintFailure | JwksFetchFailure

/** `place`: where the failure is to be answered; absent where nothing says whom to answer. */
export type RefusedBeginning = {
  readonly failure: SignInPlaceFailure | BeginFailure
  readonly place?: SignInPlace
}

const COOKIE_BYTES = 32

/**
 * Begins a sign-in that an identity provider sends a browser with. What of the request says where it is
 * answered is looked at first: an error goes to a registered place or to nobody but the person.
 */
export async function beginSignIn(
  dependencies: BeginSignInDependencies,
  form: Form,
): Promise<
  | { readonly ok: true; readonly value: BegunForBrowser }
  | { readonly ok: false; readonly refused: RefusedBeginning }
> {
  const { store, signInClients, clock, random } = dependencies
  const place = readSignInPlace(form, signInClients)
  if (!place.ok) return { ok: false, refused: { failure: place.failure } }
  const refuse = (failure: BeginFailure) => {
    return { ok: false as const, refused: { failure, place: place.value } }
  }
  const request = readSignInRequest(form, place.value)
  if (!request.ok) return refuse(request.failure)
  const person = await readPerson(dependencies, { form, client: place.value.client })
  if (!person.ok) return refuse(person.failure)
  const cookie = toBase64Url(random(COOKIE_BYTES))
  const name = newSignInName(random, clock())
  await store.beginSignIn({
    ...name,
    clientId: place.value.client.clientId,
    request: { ...request.value, person: person.value },
    browserHash: hashOfCookie(cookie),
  })
  return { ok: true, value: { signInId: name.signInId, cookie } }
}

/** Who signs in, by the word of a tenant. Others say it to themselves alone, and ask for the device. */
async function readPerson(
  { keySets, clock, clockSkewSeconds }: BeginSignInDependencies,
  { form, client }: { readonly form: Form; readonly client: SignInClient },
): Promise<Result<Person | null, IdTokenHintFailure | JwksFetchFailure>> {
  if (client.provider !== 'entra') return ok(null)
  const hint = form.get('id_token_hint') ?? ''
  const kid = keyNameOfHint(form.get('id_token_hint'))
  if (!kid.ok) return kid
  const keys = await keySets.keysAt(client.hintKeys, kid.value)
  if (!keys.ok) return err(keys.failure)
  const expected = { client, keys: keys.value, now: clock(), clockSkewSeconds }
  return verifyIdTokenHint(hint, expected)
}
