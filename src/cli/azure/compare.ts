import type { PolicyInForce, PolicyProvider } from '../../azure/provider-policy/provider-policy.ts'
import { diffLines } from '../../base/line-diff.ts'
import { EXIT } from '../framework/command.ts'
import { printJson, printText } from '../framework/output.ts'
import type { PolicySource } from './policy-source.ts'
import { demand } from './provider.ts'

/** Prints the difference between the policy in force and another. */
export async function comparePolicies(
  provider: PolicyProvider,
  source: PolicySource,
  options: { readonly json: boolean },
): Promise<number> {
  const inForce = demand(await provider.readPolicy(), provider.url)
  const isSame = inForce.text === source.text
  if (options.json) {
    printJson({
      provider: provider.url,
      same: isSame,
      in_force: inForce.hash ?? null,
      other: source.hash,
      diff: diffLines(inForce.text ?? '', source.text),
    })
  } else if (isSame) printText(`${provider.url} has ${source.label} (${source.hash}).\n`)
  else printText(describeDifference(provider.url, inForce, source))
  return isSame ? EXIT.done : EXIT.differs
}

export function describeDifference(
  url: string,
  inForce: PolicyInForce,
  source: PolicySource,
): string {
  const lines = diffLines(inForce.text ?? '', source.text).map((line) =>
    line.replaceAll('\t', '  '),
  )
  const head = `--- ${url} (${inForce.hash ?? 'no policy'})\n+++ ${source.label} (${source.hash})\n`
  return `${head}${lines.join('\n')}\n`
}
