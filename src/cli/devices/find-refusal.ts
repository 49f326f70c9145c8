import { z } from 'zod'
import { COMMAND } from '../../base/command.ts'
import { toBase64, toUtf8 } from '../../base/encoding.ts'
import { EXIT } from '../framework/command.ts'
import { fields } from '../framework/fields.ts'
import { printable, printJson, printText } from '../framework/output.ts'
import { UsageError } from '../framework/usage-error.ts'

/** Holds the secret of `--client`: it does not belong into a command line, which others can see. */
export const SECRET_VARIABLE = 'COUNTERSIGN_SECRET'

const TIMEOUT_MS = 15_000

const answerSchema = z.looseObject({
  refusals: z.array(
    z.looseObject({
      at: z.string(),
      stage: z.string(),
      reason: z.string(),
      where: z.record(z.string(), z.unknown()),
      detail: z.string().optional(),
      expected: z.string().optional(),
      device_id: z.string().nullable(),
      trace: z.array(z.object({ step: z.string(), outcome: z.string(), detail: z.string() })),
    }),
  ),
  left_out: z.int().default(0),
  process: z.string(),
  remembered_since: z.string().nullable(),
})

type Refusal = z.infer<typeof answerSchema>['refusals'][number]

/**
 * Asks a running service what it refused under the id of a request. That is in the memory of the process
 * that refused it and in no database, so that a command cannot look it up by itself.
 */
export async function findRefusal(asked: {
  readonly requestId: string
  readonly url: string
  readonly client: string | undefined
  readonly json: boolean
}): Promise<number> {
  const { requestId, url, client, json } = asked
  const secret = process.env[SECRET_VARIABLE] ?? ''
  if (client === undefined || secret === '') {
    throw new UsageError(
      `--request asks the service: say --client ID, with its secret in ${SECRET_VARIABLE} (${COMMAND} clients create --scope admin.read)`,
    )
  }
  const query = new URLSearchParams({ request_id: requestId })
  const authorization = `Basic ${toBase64(toUtf8(`${client}:${secret}`))}`
  const answer = await ask(`${url}/v1/refusals?${query}`, authorization)
  const { refusals, process: processId, remembered_since: since } = answer
  if (json) printJson(answer)
  else if (refusals.length > 0) {
    const more = `\n${answer.left_out} more between the oldest and the newest are not told.\n`
    printText(refusals.map(describe).join('\n') + (answer.left_out > 0 ? more : ''))
  } else {
    const known = since === null ? 'and none at all' : `and those since ${since}`
    throw new Error(
      `process ${processId} of the service remembers no refusal of request ${requestId}, ${known}; look for the id in the log of the service`,
    )
  }
  return refusals.length > 0 ? EXIT.done : EXIT.failed
}

async function ask(url: string, authorization: string) {
  const init = { headers: { authorization }, signal: AbortSignal.timeout(TIMEOUT_MS) }
  const answer = await fetch(url, init).catch((error: unknown) => {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    const said = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`cannot reach the service at ${new URL(url).origin} (--url): ${said}`)
  })
  if (answer.status === 401 || answer.status === 403) {
    throw new Error('the service does not let this client read: it needs the scope admin.read')
  }
  const parsed = answerSchema.safeParse(await answer.json().catch(() => undefined))
  if (!answer.ok || !parsed.success) throw new Error(`the service answered ${answer.status}`)
  return parsed.data
}

function describe({ trace, where, device_id, ...refusal }: Refusal): string {
  const { at, stage, reason, detail, expected } = refusal
  const head = fields({ at, stage, reason, detail, ...where, expected, device: device_id }, '')
  const steps = trace.map(({ step, outcome, detail }) => {
    return `  ${outcome.padEnd(9)}  ${step}${detail === '' ? '' : `: ${printable(detail)}`}\n`
  })
  return `${head}${steps.length > 0 ? `\nSteps\n${steps.join('')}` : ''}`
}
