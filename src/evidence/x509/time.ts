import { DER, type DerNode, MalformedDer } from './der.ts'

const UTC_TIME = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/
const GENERALIZED_TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/

/**
 * RFC 5280 §4.1.2.5: whole seconds, Zulu. GeneralizedTime is taken for years before 2050 too,
 * because Azure Attestation's self-signed certificates are written that way.
 */
export function readTime(node: DerNode, field: string): Date {
  const text = Buffer.from(node.content).toString('latin1')
  const isUtcTime = node.tag === DER.utcTime
  if (!isUtcTime && node.tag !== DER.generalizedTime) throw new MalformedDer(field)
  const parts = (isUtcTime ? UTC_TIME : GENERALIZED_TIME).exec(text)
  if (parts === null) throw new MalformedDer(field)
  const [written = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts
    .slice(1)
    .map(Number)
  const year = isUtcTime ? written + (written >= 50 ? 1900 : 2000) : written
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute, second)
  const exact =
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second
  if (!exact) throw new MalformedDer(field)
  return date
}
