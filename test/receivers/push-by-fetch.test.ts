import { expect, test } from 'vitest'
import { createPush } from '../../src/receivers/push.ts'
import { createFetchPost } from '../../src/receivers/push-by-fetch.ts'

/** What names lead to is for the platform's flag; an address that stands in the URL itself is refused before it is asked. */
test('ATTACK: an address in the URL itself is not pushed to, however it is written', async () => {
  const asked: string[] = []
  const push = createPush(
    createFetchPost(async (url) => {
      asked.push(String(url))
      return new Response(null, { status: 202 })
    }),
  )
  for (const host of [
    '127.0.0.1',
    '0x7f.1',
    '2130706433',
    '[::1]',
    '[::ffff:10.0.0.1]',
    '169.254.169.254',
  ]) {
    const outcome = await push({ url: `https://${host}/in`, authorization: null }, 'a.b.c')
    expect(outcome).toEqual({ kind: 'later', cause: 'its address is not a public one' })
  }
  expect(asked).toEqual([])
  expect(await push({ url: 'HTTPS://receiver.example/in', authorization: null }, 'a.b.c')).toEqual({
    kind: 'delivered',
  })
})
