import { toBase32 } from '../../base/encoding.ts'

/** `rol_…`, `ovr_…`: unguessable, so that none can be met by chance. */
export function newControlId(prefix: string, random: (length: number) => Uint8Array): string {
  return `${prefix}_${toBase32(random(16))}`
}
