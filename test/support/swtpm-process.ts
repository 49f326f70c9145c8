import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'

const START_ATTEMPTS = 5
const START_TIMEOUT_MS = 5_000

/** A running swtpm. Commands go to `port` on loopback, control to the next port. */
export type SwtpmProcess = { readonly port: number; readonly stop: () => Promise<void> }

/** Starts swtpm on free loopback ports with its state in `folder`, and waits until it listens. */
export async function startSwtpmProcess(folder: string): Promise<SwtpmProcess> {
  for (let attempt = 1; attempt <= START_ATTEMPTS; attempt++) {
    // The TCTI expects the control channel one port above the command channel.
    const port = await freePort(2)
    const server = spawnServer(folder, port)
    if (await isListening(server, port)) return { port, stop: () => end(server) }
    await end(server)
  }
  throw new Error(`swtpm did not start in ${START_ATTEMPTS} attempts`)
}

function spawnServer(folder: string, port: number): ChildProcess {
  const tcp = (number: number) => `type=tcp,port=${number},bindaddr=127.0.0.1`
  const channels = ['--server', tcp(port), '--ctrl', tcp(port + 1)]
  const state = ['--tpmstate', `dir=${folder}`, '--flags', 'not-need-init,startup-clear']
  const server = spawn('swtpm', ['socket', '--tpm2', ...channels, ...state], { stdio: 'ignore' })
  const kill = () => server.kill('SIGKILL')
  process.once('exit', kill)
  server.once('exit', () => process.off('exit', kill))
  return server
}

async function isListening(server: ChildProcess, port: number): Promise<boolean> {
  const deadline = Date.now() + START_TIMEOUT_MS
  while (server.exitCode === null && Date.now() < deadline) {
    if (await canConnect(port + 1)) return true
    await sleep(20)
  }
  return false
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const exited = once(server, 'exit')
  server.kill('SIGTERM')
  await exited
}
