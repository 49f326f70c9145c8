import { AttestationAgent } from '../../simulator/agent.ts'
import { independentKeys } from '../../simulator/key-source.ts'
import { startLoopbackAgent } from '../../simulator/loopback-agent.ts'
import type { AgentFailure } from '../../simulator/service-client.ts'
import { proveSignIn, readSignInLink } from '../../simulator/sign-in-agent.ts'
import { startVirtualDevice } from '../../simulator/virtual-device.ts'
import { EXIT, verb } from '../framework/command.ts'
import { count, flag, option, preset, required } from '../framework/options.ts'
import { printJson, printText } from '../framework/output.ts'
import { listenForStop, untilAborted } from '../framework/signals.ts'
import { UsageError } from '../framework/usage-error.ts'

export const command = verb({
  about: `Starts a virtual device with a software TPM, lets it attest, and proves it for sign-ins as an
installed agent does: it answers pages of that service on the loopback address until Ctrl-C, or with
--link what a link asks, once. With --token it hands on the device token, for relying parties to try
(docs/relying-parties.md). Where there are trust anchors, the keys of this device are refused.`,
  options: {
    url: required(
      option('URL', 'the PUBLIC_URL of the service, such as http://localhost:8080', readUrl),
    ),
    port: preset(count('N', 'where to listen: SIGN_IN_AGENT_PORT of the service'), '28415'),
    link: option('LINK', 'prove one sign-in: the countersign: link of its page', readLink),
    token: flag('print the device token alone, as a gateway gets it, and end'),
  },
  json: 'of --link: the ticket, and the URL that the browser goes on with; of --token: the device token',
  exits: { refused: 'the device could not attest, or could not be proven' },
  async run({ url, port, link, token, json }) {
    if (token && link !== undefined) throw new UsageError('say either --link or --token')
    const keys = independentKeys()
    const device = await startVirtualDevice({ name: 'agent', machine: crypto.randomUUID(), keys })
    const agent = new AttestationAgent({ device, baseUrl: url })
    const first = await agent.attest()
    if (!first.ok) return tell('The device could not attest', first.failure)
    let deviceToken = first.value.device_token
    if (token) {
      if (json) printJson({ device_token: deviceToken })
      else printText(`${deviceToken}\n`)
      return EXIT.done
    }
    if (!json) printText(`${first.value.device_id} is ${first.value.verdict}.\n`)
    const options = { baseUrl: url, key: device.requestKey, deviceToken: () => deviceToken }
    if (link !== undefined) {
      const proven = await proveSignIn(options, link)
      if (!proven.ok) return tell('The device could not be proven', proven.failure)
      if (json) printJson(proven.value)
      else printText(`Go on in the browser that began the sign-in:\n${proven.value.continue_url}\n`)
      return EXIT.done
    }
    const listening = await startLoopbackAgent({
      port,
      origin: new URL(url).origin,
      async prove(signInId) {
        // Whoever signs in has just repaired the device, maybe.
        const again = await agent.attest()
        if (again.ok) deviceToken = again.value.device_token
        return proveSignIn(options, signInId)
      },
    })
    printText(`Pages of ${url} are answered on http://127.0.0.1:${listening.port} until Ctrl-C.\n`)
    await untilAborted(listenForStop())
    await listening.close()
    return EXIT.done
  },
})

function tell(what: string, failure: AgentFailure): number {
  const code = 'code' in failure && failure.code !== undefined ? `, ${failure.code}` : ''
  process.stderr.write(`${what}: ${failure.reason}${code}: ${failure.detail ?? ''}\n`)
  return EXIT.refused
}

function readUrl(text: string, label: string): string {
  if (/^https?:/.test(text) && URL.canParse(text)) return text.replace(/\/+$/, '')
  throw new UsageError(`${label} must be the base URL of a service, such as http://localhost:8080`)
}

function readLink(text: string, label: string): string {
  const signInId = readSignInLink(text)
  if (signInId !== undefined) return signInId
  throw new UsageError(`${label} must be the link of a page of a sign-in: countersign:sign-in/…`)
}
