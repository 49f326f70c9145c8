import { Hono } from 'hono'
import { html } from 'hono/html'
import type { HttpEnv } from '../../environment.ts'
import type { Page } from '../layout.ts'
import { type Content, codeTag, panel, table } from '../parts.ts'
import type { ConsoleSection, ShownSetting } from '../services.ts'

/** Every setting as this process has it. They are changed where it runs, and read when it starts. */
export const settingsSection: ConsoleSection = {
  name: 'settings',
  title: 'Settings',
  routes: (services) =>
    new Hono<HttpEnv>().get('/console/settings', (c) =>
      services.show(c, settingsPage(services.settings)),
    ),
}

export function settingsPage(settings: readonly ShownSetting[]): Page {
  const given = settings.filter(({ isGiven }) => isGiven)
  const others = settings.filter(({ isGiven }) => !isGiven)
  const own =
    given.length === 0
      ? html`<p>Every setting is as it is by itself.</p>`
      : list('Settings that were given', given)
  const body = html`<p>They are given to the process in its environment, or to the Worker as bindings, and read when it starts. What each means stands in <code>docs/configuration.md</code>.</p>
${panel('given', 'Given here', own)}${panel('preset', 'As they are by themselves', list('Settings that nobody gave', others))}`
  return { title: 'Settings as they are', section: 'settings', body }
}

function list(caption: string, settings: readonly ShownSetting[]): Content {
  return table({
    caption,
    columns: [{ title: 'Setting' }, { title: 'Value' }],
    rows: settings.map((one) => [
      html`<span class="nowrap">${codeTag(one.name)}</span>`,
      valueCell(one),
    ]),
  })
}

const MOST_CHARS = 200

function valueCell({ isGiven, isSecret, value }: ShownSetting): Content {
  if (isSecret) {
    return html`<span class="dim">${isGiven ? 'given, and not shown' : 'not given'}</span>`
  }
  if (value === undefined || value === '') return html`<span class="dim">not given</span>`
  if (value.length <= MOST_CHARS) return codeTag(value)
  return html`<details><summary>${value.length} characters</summary><pre>${value}</pre></details>`
}
