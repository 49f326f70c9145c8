import { Gauge, type Registry } from 'prom-client'

/**
 * What every process of a deployment shows alike, because it is read from the database they share: take
 * the maximum over processes, never the sum. Read in each round of control and not when Prometheus asks;
 * all of it is `NaN` once the database could not be read.
 */
export type FleetGauges = ReturnType<typeof createFleetGauges>

const FLEET = 'Of the whole deployment:'

export function createFleetGauges(registers: Registry[]) {
  return {
    devices: new Gauge({
      name: 'countersign_devices',
      help: `${FLEET} recorded devices by verdict, as the last sweep of the fleet found them.`,
      labelNames: ['verdict'],
      registers,
    }),
    devicesFailing: new Gauge({
      name: 'countersign_devices_failing',
      help: `${FLEET} devices with evidence that counts which fail a clause that is in force for them, or cannot be decided by it, whether or not grace or a hold relieves them; as the last sweep of the fleet found them.`,
      labelNames: ['clause', 'severity'],
      registers,
    }),
    sweptAt: new Gauge({
      name: 'countersign_sweep_ended_timestamp_seconds',
      help: `${FLEET} when the last sweep of the fleet ended, from which the numbers of devices are.`,
      registers,
    }),
    holds: new Gauge({
      name: 'countersign_holds_active',
      help: `${FLEET} causes that do not count for the moment, by kind.`,
      labelNames: ['kind'],
      registers,
    }),
    rollouts: new Gauge({
      name: 'countersign_rollouts_open',
      help: `${FLEET} rollouts that are not over, by kind of document, pass and state.`,
      labelNames: ['kind', 'pass', 'state'],
      registers,
    }),
    rolloutStage: new Gauge({
      name: 'countersign_rollout_stage',
      help: `${FLEET} the stage, from 1, of the open rollout of each kind of document; 0 without one.`,
      labelNames: ['kind'],
      registers,
    }),
    outbox: new Gauge({
      name: 'countersign_outbox_events',
      help: `${FLEET} events that wait to be delivered, counted up to 100000.`,
      registers,
    }),
    outboxAge: new Gauge({
      name: 'countersign_outbox_age_seconds',
      help: `${FLEET} age of the event that is to be delivered next; 0 without one.`,
      registers,
    }),
    streams: new Gauge({
      name: 'countersign_streams',
      help: `${FLEET} streams of events and states by state: enabled and arriving, failing, paused, disabled.`,
      labelNames: ['state'],
      registers,
    }),
    expiry: new Gauge({
      name: 'countersign_expiry_timestamp_seconds',
      help: `${FLEET} when the first of each kind of thing ends that ends by itself, or has ended and still stands: certificates, entries of the reference values, keys, secrets of clients, allowances, pins, holds.`,
      labelNames: ['kind'],
      registers,
    }),
    devicesFailingSoon: new Gauge({
      name: 'countersign_devices_failing_soon',
      help: `${FLEET} devices that are allowed and will fail within so many days if nobody changes anything, as the last forecast counted them.`,
      labelNames: ['days'],
      registers,
    }),
    forecastAt: new Gauge({
      name: 'countersign_forecast_timestamp_seconds',
      help: `${FLEET} from when the last forecast looks ahead.`,
      registers,
    }),
    alarms: new Gauge({
      name: 'countersign_alarms_standing',
      help: `${FLEET} alarms that stand, by name and severity.`,
      labelNames: ['alarm', 'severity'],
      registers,
    }),
    observedAt: new Gauge({
      name: 'countersign_observed_timestamp_seconds',
      help: 'When this process last read what is of the whole deployment.',
      registers,
    }),
  }
}
