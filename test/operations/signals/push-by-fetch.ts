import { readPushAnswer } from '../../../src/signals/push-answer.ts'

/** Pushes by fetch alone: who is connected to is another's to guard. */
export async function pushTo(
  url: string,
  token: string,
  more: Readonly<Record<string, string>> = {},
) {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/secevent+jwt', accept: 'application/json', ...more },
      body: token,
      redirect: 'manual',
    })
    const text = await response.text()
    const after = response.headers.get('retry-after')
    return readPushAnswer({
      status: response.status,
      body: text.startsWith('{') ? JSON.parse(text) : undefined,
      retryAfterSeconds: after === null ? undefined : Number(after),
    })
  } catch {
    return { kind: 'later', cause: 'unreachable' } as const
  }
}
