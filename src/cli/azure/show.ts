import type { PolicyProvider } from '../../azure/provider-policy/provider-policy.ts'
import {
  RECOMMENDED_POLICY,
  RECOMMENDED_POLICY_HASH,
} from '../../azure/provider-policy/recommended.ts'
import { COMMAND } from '../../base/command.ts'
import type { Store } from '../../store/store.ts'
import { fields } from '../framework/fields.ts'
import { printable, printJson, printText } from '../framework/output.ts'
import { readPins } from './pins.ts'
import { describeWeaknessesOfText } from './policy-source.ts'
import { demand } from './provider.ts'

/** Prints the policy that is recommended, as text that can be saved and changed. */
export function showRecommended(json: boolean): number {
  if (json) printJson({ hash: RECOMMENDED_POLICY_HASH, text: RECOMMENDED_POLICY })
  else process.stdout.write(RECOMMENDED_POLICY)
  return 0
}

/** Prints the TPM policy in force at a provider, its hash, and whether tokens under it count. */
export async function showPolicy(
  provider: PolicyProvider,
  store: Store,
  options: { readonly json: boolean; readonly now: Date },
): Promise<number> {
  const { url } = provider
  const pins = await readPins(store, url, options.now)
  const { text, hash, isSigned } = demand(await provider.readPolicy(), url)
  const isPinned = hash !== undefined && pins.includes(hash)
  if (options.json) {
    printJson({
      provider: url,
      hash: hash ?? null,
      text: text ?? null,
      signed: isSigned,
      pinned: isPinned,
      recommended: hash === RECOMMENDED_POLICY_HASH,
      pins,
    })
    return 0
  }
  const head = fields(
    {
      provider: url,
      'policy hash': hash ?? 'none',
      signed: isSigned ? 'yes' : 'no',
      pinned: isPinned ? 'yes' : 'no',
      recommended: hash === RECOMMENDED_POLICY_HASH ? 'yes' : 'no',
      'other pins': pins.filter((pin) => pin !== hash),
    },
    '',
  )
  if (text === undefined) {
    printText(`${head}
The provider has no TPM policy, so that it attests no device. Give it one:
  ${COMMAND} azure policy set --pin --provider ${url}
`)
    return 0
  }
  printText(`${head}\n`)
  process.stdout.write(`${printPolicy(text)}\n`)
  printText(adviseOn({ url, text, isPinned }))
  return 0
}

/** A policy may be indented by tabs. */
function printPolicy(text: string): string {
  return text.trimEnd().split('\n').map(printLine).join('\n')
}

function printLine(line: string): string {
  return line.split('\t').map(printable).join('\t')
}

function adviseOn(policy: { url: string; text: string; isPinned: boolean }): string {
  const { url, text, isPinned } = policy
  const weaknesses = describeWeaknessesOfText(text).map((weakness) => `\n${weakness}\n`)
  const advice = isPinned
    ? ''
    : `
Tokens under this policy are refused (policy_not_pinned). If it is yours, and says what you want:
  ${COMMAND} azure policy pin --provider ${url}
`
  const compare = `
What would be recommended otherwise:
  ${COMMAND} azure policy diff --provider ${url}
`
  return [...weaknesses, advice, weaknesses.length > 0 ? compare : ''].join('')
}
