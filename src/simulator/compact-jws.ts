import type { KeyObject } from 'node:crypto'
import { toBase64Url, toUtf8 } from '../base/encoding.ts'
import type { Chance } from './chance.ts'

/** A compact JWS (RFC 7515 §7.1), signed with PS256 whatever its header says. */
export async function signPs256(input: {
  readonly header: object
  readonly payload: Uint8Array
  readonly key: KeyObject
  readonly chance: Chance
}): Promise<string> {
  const { header, payload, key, chance } = input
  const signed = `${toBase64Url(toUtf8(JSON.stringify(header)))}.${toBase64Url(payload)}`
  return `${signed}.${toBase64Url(await chance.signPss(key, toUtf8(signed)))}`
}
