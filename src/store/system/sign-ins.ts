import { and, eq, isNull, sql } from 'drizzle-orm'
import type { SignInRequest } from '../../vendors/oidc/authentication-request.ts'
import type { Database } from '../drivers/database.ts'
import { signIn } from '../schema/sign-in-schema.ts'

/** Names a sign-in: its id, and the time that stands in it. */
export type SignInName = {
  readonly signInId: string
  /** From then on no device is proven for it; its row goes an hour later at the earliest. */
  readonly expiresAt: Date
}

export type BegunSignIn = SignInName & {
  readonly clientId: string
  readonly request: SignInRequest
  /** base64url of the SHA-256 of the cookie of the browser. */
  readonly browserHash: string
}

export type StoredSignIn = BegunSignIn & {
  readonly provenAt: Date | null
  readonly endedAt: Date | null
}

export type SignIns = {
  readonly beginSignIn: (begun: BegunSignIn) => Promise<void>
  readonly findSignIn: (name: SignInName) => Promise<StoredSignIn | null>
  /** Notes that a device was proven for it. `false` where there is none of that name that waits still. */
  readonly noteProvenDevice: (name: SignInName & { readonly at: Date }) => Promise<boolean>
  /** Of any number of calls for one sign-in, of any processes, exactly one answers `true`. */
  readonly endSignIn: (name: SignInName & { readonly at: Date }) => Promise<boolean>
}

export function prepareSignIns(db: Database): SignIns {
  const named = and(
    eq(signIn.signInId, sql.placeholder('signInId')),
    eq(signIn.expiresAt, sql.placeholder('expiresAt')),
  )
  const waiting = and(named, isNull(signIn.endedAt))
  const find = db.select().from(signIn).where(named).prepare('find_sign_in')
  const note = db
    .update(signIn)
    .set({ provenAt: sql`${sql.placeholder('at')}` })
    .where(waiting)
    .returning({ one: sql<number>`1` })
    .prepare('note_proven_device')
  const end = db
    .update(signIn)
    .set({ endedAt: sql`${sql.placeholder('at')}` })
    .where(waiting)
    .returning({ one: sql<number>`1` })
    .prepare('end_sign_in')
  return {
    async beginSignIn(begun) {
      await db.insert(signIn).values(begun)
    },
    async findSignIn(name) {
      const [found] = await find.execute(name)
      return found ?? null
    },
    async noteProvenDevice(name) {
      return (await note.execute(name)).length === 1
    },
    async endSignIn(name) {
      return (await end.execute(name)).length === 1
    },
  }
}
