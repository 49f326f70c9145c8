import { writeSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { openStore, type StoreConfig } from '../../../src/store/drivers/open-store.ts'
import { attestationOf } from '../fixtures.ts'

/**
 * Records attestations of several devices for as long as it is let, and prints the id of each one
 * after the store has acknowledged it. Run by the crash tests, which end it without a warning.
 */
const { values } = parseArgs({
  options: { config: { type: 'string' }, round: { type: 'string' }, devices: { type: 'string' } },
})
const config: StoreConfig = JSON.parse(values.config ?? '')
const round = Number(values.round)
const store = await openStore(config)

async function record(device: number): Promise<never> {
  for (let count = 0; ; count++) {
    const name = `r${round}-d${device}-${count}`
    const answer = await store.recordAttestation(
      attestationOf({
        deviceId: `dev_${device}`,
        attestationId: `att_${name}`,
        nonceId: `nonce_${name}`,
        at: round * 100_000 + count,
        verdict: count % 2 === 0 ? 'trusted' : 'untrusted',
      }),
    )
    if (answer.outcome !== 'recorded') throw new Error(`${name}: ${answer.outcome}`)
    // Written at once, past any buffer of this process: what is acknowledged must be known.
    writeSync(1, `att_${name}\n`)
    // PGlite answers without leaving the turn of the event loop: let the guests have theirs.
    await new Promise(setImmediate)
  }
}

const devices = Array.from({ length: Number(values.devices) }, (_, device) => device)
await Promise.all(devices.map(record)).catch((error) => {
  writeSync(2, `${error}\n`)
  process.exit(1)
})
