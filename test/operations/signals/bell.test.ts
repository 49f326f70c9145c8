import { expect, test } from 'vitest'
import { createBell } from '../../../src/operations/signals/bell.ts'

test('a bell is heard by all who listen, until they stop, each as often as it listens', () => {
  const bell = createBell()
  const heard: string[] = []
  const listen = (name: string) => bell.onRing(() => void heard.push(name))
  bell.ring()
  const stopFirst = listen('a')
  listen('b')
  bell.ring()
  stopFirst()
  bell.ring()
  expect(heard).toEqual(['a', 'b', 'b'])
})

test('whoever stops while it rings keeps nobody else from hearing', () => {
  const bell = createBell()
  const heard: string[] = []
  const stop = bell.onRing(() => {
    heard.push('once')
    stop()
  })
  bell.onRing(() => void heard.push('other'))
  bell.ring()
  bell.ring()
  expect(heard).toEqual(['once', 'other', 'other'])
})
