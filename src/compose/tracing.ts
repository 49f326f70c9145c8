import type { Tracing } from '../base/tracing.ts'
import type { AnswerSource } from '../operations/decide/question.ts'
import type { DeliverRoundDependencies } from '../operations/signals/deliver-round.ts'
import type { PushOutcome } from '../signals/push-answer.ts'
import type { StoredStream } from '../store/signals/streams.ts'
import type { Store } from '../store/store.ts'

/*
 * What is traced beside requests. Each of these is put around what it traces where traces are sent, and nowhere else, so that
 * nothing is looked at in a service that sends none. No span has the id of a device, a person or a request.
 */

/** The statements of a store, each a span under its name. */
export function traceStore(store: Store, tracing: Tracing | undefined): Store {
  if (tracing === undefined) return store
  const traced = Object.entries(store).map(([name, member]) => {
    if (typeof member !== 'function' || UNTRACED.has(name)) return [name, member]
    const call = member as (...args: readonly unknown[]) => unknown
    const attributes = { 'db.system.name': 'postgresql', 'db.operation.name': name }
    const span = { name, kind: 'client', attributes } as const
    return [name, (...args: readonly unknown[]) => tracing.span(span, async () => call(...args))]
  })
  return {
    ...(Object.fromEntries(traced) as Store),
    forUse: (use) => traceStore(store.forUse(use), tracing),
  }
}

/** What is no statement. */
const UNTRACED: ReadonlySet<string> = new Set(['forUse', 'pools', 'listen', 'close'])

/** A span for each decision, with what it came to. */
export function traceAnswers(source: AnswerSource, tracing: Tracing | undefined): AnswerSource {
  if (tracing === undefined) return source
  return {
    read: source.read,
    async begin(questions, asked) {
      const answers = await source.begin(questions, asked)
      const span = { name: 'decide', kind: 'internal' } as const
      return {
        end: answers.end,
        answer: (question) =>
          tracing.span(
            span,
            async () => answers.answer(question),
            (answered) => {
              if (!answered.ok) return { attributes: { 'countersign.decision': false } }
              const { decision, context } = answered.value
              const { verdict } = context
              const told = { 'countersign.decision': decision, 'countersign.verdict': verdict }
              return { attributes: told }
            },
          ),
      }
    },
  }
}

type Sending = Pick<DeliverRoundDependencies, 'push' | 'postAlarm' | 'writeState'>

/** A span for each try to deliver, with where to and what came of it. */
export function traceDeliveries(sending: Sending, tracing: Tracing | undefined): Sending {
  if (tracing === undefined) return sending
  const deliver = (method: string, to: string, run: () => Promise<PushOutcome>) => {
    const attributes = { 'countersign.delivery.method': method, 'server.address': to }
    return tracing.span({ name: 'deliver', kind: 'client', attributes }, run, (outcome) => {
      const isFault = outcome.kind === 'later'
      return { attributes: { 'countersign.delivery.outcome': outcome.kind }, isFault }
    })
  }
  return {
    push: (stream, token) => deliver('push', hostOf(stream), () => sending.push(stream, token)),
    postAlarm: (target, due) =>
      deliver('webhook', new URL(target.url).host, () => sending.postAlarm(target, due)),
    writeState: (target, ...rest) =>
      deliver('state', target.kind, () => sending.writeState(target, ...rest)),
  }
}

function hostOf({ delivery }: StoredStream): string {
  return 'url' in delivery ? new URL(delivery.url).host : delivery.method
}
