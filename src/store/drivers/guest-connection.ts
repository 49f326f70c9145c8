import { connect, type Socket } from 'node:net'
import {
  encodeLine,
  type GuestRequest,
  type GuestResponse,
  readMessages,
  readResponse,
} from './guest-protocol.ts'

/** A guest's end of the socket. Requests of one connection may overlap. */
export type GuestConnection = {
  readonly request: (request: Omit<GuestRequest, 'id'>) => Promise<readonly unknown[]>
  readonly close: () => void
}

type Waiting = PromiseWithResolvers<readonly unknown[]>

export async function connectToOwner(path: string): Promise<GuestConnection> {
  const socket = await open(path)
  const waiting = new Map<number, Waiting>()
  let nextId = 1

  const settle = (response: GuestResponse) => {
    const waits = waiting.get(response.id)
    waiting.delete(response.id)
    if (waiting.size === 0) socket.unref()
    if ('rows' in response) waits?.resolve(response.rows)
    else waits?.reject(Object.assign(new Error(), response.error))
  }
  void takeResponses(socket, settle).catch(() => socket.destroy())
  socket.on('error', () => {})
  socket.on('close', () => {
    for (const waits of waiting.values()) waits.reject(ended())
    waiting.clear()
  })
  socket.unref()

  return {
    request(request) {
      if (socket.destroyed) return Promise.reject(ended())
      const id = nextId++
      const line = encodeLine({ id, ...request })
      const waits: Waiting = Promise.withResolvers()
      waiting.set(id, waits)
      // An open request keeps the process alive, as it would with any other driver.
      socket.ref()
      socket.write(line)
      return waits.promise
    },
    close: () => socket.destroy(),
  }
}

async function takeResponses(
  socket: Socket,
  settle: (response: GuestResponse) => void,
): Promise<void> {
  for await (const response of readMessages(socket, readResponse)) settle(response)
}

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}

function ended(): Error {
  return new Error('the process that owns the data directory has ended')
}
