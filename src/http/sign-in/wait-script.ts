/**
 * What the page of a sign-in does in the browser: asks the agent by its loopback address, goes on with the ticket
 * that it gives, and says otherwise what the person can do. Without it all of that is done by links and buttons.
 * It knows the sign-in by attributes of the page and puts no text of anybody else into it.
 */
export const WAIT_SCRIPT = `
'use strict'
const root = document.getElementById('sign-in')
const { signIn, agent, here, seconds } = root.dataset
const end = Date.now() + Number(seconds) * 1000
const POLL_MS = 2000
const AGENT_MS = 30000
let step = ''
function show(name) {
  step = name
  for (const part of root.querySelectorAll('[data-step]')) {
    part.hidden = !part.dataset.step.split(' ').includes(name)
  }
}
async function askAgent() {
  show('asking')
  try {
    const answer = await fetch(agent, {
      method: 'POST',
      mode: 'cors',
      credentials: 'omit',
      cache: 'no-store',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ sign_in: signIn }),
      signal: AbortSignal.timeout(AGENT_MS),
    })
    if (!answer.ok) return show('failed')
    const { ticket } = await answer.json()
    if (typeof ticket !== 'string') return show('failed')
    location.replace(here + '/continue?ticket=' + encodeURIComponent(ticket))
  } catch {
    show('missing')
  }
}
async function look() {
  try {
    const answer = await fetch(here + '/state', { cache: 'no-store' })
    if (!answer.ok) return
    const { state } = await answer.json()
    if (state === 'ended') show('ended')
    if (state === 'expired') show('late')
    if (state === 'proven' && step !== 'asking') show('elsewhere')
  } catch {}
}
async function watch() {
  while (step !== 'ended' && step !== 'late') {
    await new Promise((done) => setTimeout(done, POLL_MS))
    if (Date.now() >= end) show('late')
    else if (step !== 'asking' && document.visibilityState === 'visible') await look()
  }
}
for (const button of root.querySelectorAll('[data-again]')) {
  button.addEventListener('click', askAgent)
}
askAgent()
watch()
`

/** Sends the form of the page, or follows its link: whoever has no scripts presses the button. */
export const SEND_SCRIPT = `
'use strict'
const answer = document.getElementById('answer')
if (answer instanceof HTMLFormElement) answer.submit()
else location.replace(answer.href)
`
