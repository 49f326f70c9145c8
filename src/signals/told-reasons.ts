import { BUILT_IN_TEXTS } from '../access/texts.ts'
import type { Verdict } from '../access/trust-record.ts'
import type { CompiledPolicy } from '../policy/document/compile.ts'
import type { Texts } from '../policy/document/document.ts'
import type { ToldReasons } from './device-change.ts'

/** What a device is told that meets everything again. */
const MET: Texts = {
  en: { title: 'This device meets the requirements', repair: 'Nothing needs to be done.' },
  de: { title: 'Dieses Gerät erfüllt die Anforderungen', repair: 'Es ist nichts zu tun.' },
}

/** What is said of a clause that is no longer in the policy, and of a denial that was written without a reason. */
const FORMER: Texts = {
  en: {
    title: 'The device did not meet a requirement',
    repair: 'Ask your administrator, or wait for the next proof of its state.',
  },
  de: {
    title: 'Das Gerät hat eine Anforderung nicht erfüllt',
    repair: 'Fragen Sie Ihre Administration, oder warten Sie auf den nächsten Nachweis.',
  },
}

/**
 * The reasons of an event in words, for administrators by their codes and for people by the texts of the
 * policy, in every language in which all of them are to be had; English always is. The interoperability
 * profile (CAEP interop 1.0 §3) wants them never empty.
 *
 * @param reasons as the outbox keeps them
 */
export function tellReasons(
  verdict: Verdict,
  reasons: readonly unknown[],
  policy: CompiledPolicy,
): ToldReasons {
  const read = reasons.map(readReason)
  const codes = read.map(({ code, clause }) => (clause === undefined ? code : `${code} ${clause}`))
  const admin = codes.length === 0 ? verdict : `${verdict}: ${codes.join('; ')}`
  const texts =
    read.length === 0 ? [textsOfVerdict(verdict)] : read.map((reason) => textsOf(reason, policy))
  const user: Record<string, string> = {}
  for (const language of Object.keys(texts[0] ?? MET)) {
    const sentences = texts.flatMap((one) => {
      const text = one[language]
      return text === undefined ? [] : [`${text.title}. ${text.repair}`]
    })
    if (sentences.length === texts.length) user[language] = sentences.join(' ')
  }
  return { admin: { en: admin }, user }
}

/** Of a verdict that was written without reasons, as a quarantine is. */
function textsOfVerdict(verdict: Verdict): Texts {
  if (verdict === 'trusted') return MET
  return verdict === 'quarantined' || verdict === 'stale' ? BUILT_IN_TEXTS[verdict] : FORMER
}

type ReadReason = { readonly code: string; readonly clause: string | undefined }

/** What another version has put there may have other codes. */
function readReason(reason: unknown): ReadReason {
  const { code, clause } = Object(reason)
  return {
    code: typeof code === 'string' ? code : 'unknown',
    clause: typeof clause === 'string' ? clause : undefined,
  }
}

function textsOf({ code, clause }: ReadReason, policy: CompiledPolicy): Texts {
  const builtIn: Readonly<Record<string, Texts>> = BUILT_IN_TEXTS
  if (Object.hasOwn(builtIn, code)) return builtIn[code] ?? FORMER
  return (clause === undefined ? undefined : policy.clauseById.get(clause)?.texts) ?? FORMER
}
