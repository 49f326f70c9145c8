import { AsyncLocalStorage } from 'node:async_hooks'
import { openHyperdriveStore } from '../../../src/store/drivers/hyperdrive.ts'
import type { Store } from '../../../src/store/store.ts'

/**
 * The store that the Worker has: each request brings a connection of its own. What a test asks of
 * the store outside of a request has one for itself.
 */
export function openRequestStore(url: string): {
  readonly store: Store
  readonly serve: <T>(answer: () => Promise<T>) => Promise<T>
} {
  const { store, withConnection } = openHyperdriveStore(url)
  const serving = new AsyncLocalStorage<true>()
  const serve = <T>(answer: () => Promise<T>): Promise<T> =>
    withConnection(
      () => serving.run(true, answer),
      () => {},
    )
  return {
    store: connectEach(store, { serve, isServing: () => serving.getStore() === true }),
    serve,
  }
}

type Serving = {
  readonly serve: <T>(answer: () => Promise<T>) => Promise<T>
  readonly isServing: () => boolean
}

function connectEach(store: Store, { serve, isServing }: Serving): Store {
  return new Proxy(store, {
    get(target, name, receiver) {
      const member: unknown = Reflect.get(target, name, receiver)
      if (typeof member !== 'function') return member
      // A connection is of a request, and not of a use.
      if (name === 'forUse') return () => receiver
      return (...args: unknown[]) => {
        const call = () => Reflect.apply(member, target, args)
        return isServing() ? call() : serve(call)
      }
    },
  })
}
