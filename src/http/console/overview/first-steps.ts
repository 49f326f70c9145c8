import { html } from 'hono/html'
import { COMMAND } from '../../../base/command.ts'
import type { Overview } from '../../../operations/overview/read-overview.ts'
import { type Content, panel } from '../parts.ts'
import { alarmsPanel } from './alarms.ts'

/** What a service without any device says: the three things to do next. */
export function firstSteps(overview: Overview, publicUrl: string): Content {
  const body = html`<p>No device has attested yet. Three things are to be done, in this order:</p>
<ol>
<li><h3>Let a device attest</h3>
<p>Install the agent of your organisation on one laptop and point it at <code>${publicUrl}</code>. To see how it looks before there is a laptop, let simulated ones attest:</p>
${example(`${COMMAND} simulate --url ${publicUrl} --devices 30`)}</li>
<li><h3>Say whose hardware counts</h3>
<p>Without trust anchors any key is believed. List the roots of the makers of your TPMs, and hardware has to be real from then on:</p>
${example(`${COMMAND} anchors import FILE`)}</li>
<li><h3>Ask for decisions</h3>
<p>Make a client for your identity provider or gateway, and have it ask about each device before it lets somebody in:</p>
${example(`${COMMAND} clients create --name gateway --scope access.evaluate`)}</li>
</ol>`
  const urgent = overview.waiting.length > 0 || overview.halted.length > 0
  return html`${urgent ? alarmsPanel(overview) : ''}${panel('first', 'Three things to do next', body, true)}`
}

function example(text: string): Content {
  return html`<pre><code>${text}</code></pre>`
}
