import { digest } from '../../base/digest.ts'
import { toBase64Url, toUtf8 } from '../../base/encoding.ts'
import { PAGES_STYLE } from './style-pages.ts'

/*
 * The one stylesheet of the console. Text has a contrast of at least 4.5 to 1 on each ground that it stands on, and
 * the edges of controls and marks one of 3 to 1 (WCAG 2.2 §1.4.3, §1.4.11). A verdict has a shape and a word beside its
 * colour. Sizes are in rem, so that text can be enlarged, and columns give way to rows where it gets narrow.
 */
export const STYLE = `
:root { color-scheme: light dark;
  --paper: #fbfbfa; --raised: #fff; --sunk: #f3f2ef; --rule: #dedcd6; --edge: #85827a; --ink: #1d1c1a; --dim: #5a5852;
  --accent: #0b57a4; --on-accent: #fff; --trusted: #11694a; --untrusted: #b3261e; --stale: #845000; --unknown: #565960;
  --quarantined: #6a3fa8; --alarm: #fdf0ee; --good: #edf6f1; --track: #e9e7e2; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #151619; --raised: #1b1d21; --sunk: #101114; --rule: #32353b; --edge: #7b8089; --ink: #ebebe8; --dim: #a9abb0;
  --accent: #8fbcff; --on-accent: #10141b; --trusted: #6fd0a2; --untrusted: #ff958b; --stale: #eebb60; --unknown: #b5b9c0;
  --quarantined: #c9aaff; --alarm: #2c1a19; --good: #14251d; --track: #2a2d32; } }
*, ::before, ::after { box-sizing: border-box; }
html { font: 100%/1.45 system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif; }
body { margin: 0; min-height: 100vh; display: grid; grid-template: auto 1fr auto / 11.5rem minmax(0, 1fr);
  background: var(--paper); color: var(--ink); font-size: .875rem; font-variant-numeric: tabular-nums; }
a { color: var(--accent); text-decoration-thickness: .0625em; text-underline-offset: .15em; }
a:hover { text-decoration-thickness: .125em; }
:focus-visible { outline: .1875rem solid var(--accent); outline-offset: .125rem; border-radius: .1875rem; }
h1 { font-size: 1.375rem; line-height: 1.2; margin: 0 0 .25rem; letter-spacing: -.01em; font-weight: 650; overflow-wrap: anywhere; }
h2 { font-size: .9375rem; line-height: 1.3; margin: 0 0 .5rem; font-weight: 650; }
h3 { font-size: .875rem; margin: 0 0 .25rem; font-weight: 650; }
p { margin: 0 0 .5rem; max-width: 46rem; }
ul, ol { margin: 0 0 .5rem; padding-inline-start: 1.25rem; }
li { margin: .125rem 0; }
code, .id { font: .8125rem/1.4 ui-monospace, 'Cascadia Mono', 'SF Mono', Menlo, Consolas, monospace; overflow-wrap: anywhere; }
pre { margin: 0 0 .5rem; padding: .5rem .75rem; background: var(--sunk); border: 1px solid var(--rule); border-radius: .25rem;
  white-space: pre-wrap; overflow-wrap: anywhere; }
td code, th code { overflow-wrap: break-word; }
small, .dim { color: var(--dim); font-size: .8125rem; }
.words { display: block; } .words main { max-inline-size: 36rem; margin: 10vh auto 0; }
.skip { position: absolute; inset: -10rem auto auto .5rem; padding: .5rem 1rem; background: var(--raised); z-index: 1; }
.skip:focus { inset-block-start: .5rem; }
.vh { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.top { grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: center; padding: .5rem 1.25rem;
  border-bottom: 1px solid var(--rule); background: var(--raised); }
.brand { display: inline-flex; align-items: center; gap: .5rem; font-weight: 650; color: var(--ink); text-decoration: none; }
.brand svg { inline-size: 1.25rem; block-size: 1.25rem; }
.brand path { fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
.top form[role=search] { flex: 0 1 22rem; display: flex; gap: .25rem; }
.top form[role=search] input { flex: 1; min-inline-size: 0; }
.who { margin-inline-start: auto; display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: center; }
.who form { margin: 0; }
nav.main { padding: .75rem .5rem .75rem .75rem; border-inline-end: 1px solid var(--rule); background: var(--raised); }
nav.main ul { list-style: none; margin: 0; padding: 0; }
nav.main a { display: block; padding: .3125rem .625rem; border-radius: .25rem; color: var(--ink); text-decoration: none; }
nav.main a:hover { background: var(--sunk); }
nav.main a[aria-current] { background: var(--sunk); font-weight: 650; box-shadow: inset .1875rem 0 var(--accent); }
main { padding: 1rem 1.25rem 2rem; min-inline-size: 0; max-inline-size: 88rem; }
main > header { margin-bottom: 1rem; display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline; }
main > header > :first-child { flex: 1 1 24rem; }
.foot { grid-column: 1 / -1; padding: .5rem 1.25rem; border-top: 1px solid var(--rule); color: var(--dim); font-size: .8125rem;
  display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; }
.panel { background: var(--raised); border: 1px solid var(--rule); border-radius: .375rem; padding: .75rem .875rem; margin: 0 0 .875rem;
  min-inline-size: 0; }
.panel > :last-child { margin-bottom: 0; }
.cols { columns: 2 26rem; column-gap: .875rem; }
.cols > .panel { break-inside: avoid; }
.cols > .wide { column-span: all; margin-block-start: .875rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: 1px; background: var(--raised);
  border: 1px solid var(--rule); border-radius: .375rem; overflow: hidden; margin: 0 0 .875rem; padding: 0; list-style: none; }
.tiles > li { margin: 0; padding: .625rem .875rem; box-shadow: 0 0 0 1px var(--rule); }
.tiles strong { display: block; font-size: 1.5rem; line-height: 1.2; font-weight: 600; letter-spacing: -.02em; }
.tiles a { text-decoration: none; }
.tiles a:hover { text-decoration: underline; }
.scroll { overflow-x: auto; margin: 0 0 .5rem; }
table { border-collapse: collapse; inline-size: 100%; }
caption { text-align: start; color: var(--dim); font-size: .8125rem; padding: 0 0 .25rem; }
th, td { text-align: start; vertical-align: top; overflow-wrap: break-word; padding: .3125rem .75rem .3125rem 0; border-bottom: 1px solid var(--rule); }
th { font-weight: 600; }
th small { font-weight: 400; }
thead th { color: var(--dim); font-size: .8125rem; white-space: nowrap; }
tbody tr:last-child > * { border-bottom: 0; }
tbody tr:hover { background: var(--sunk); }
.n { text-align: end; white-space: nowrap; }
th.n, td.n { padding-inline-end: 1rem; }
.nowrap { white-space: nowrap; }
dl.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .1875rem 1rem; margin: 0 0 .5rem; }
td, th, dd, h1, .tag { unicode-bidi: isolate; }
dl.facts dt { color: var(--dim); }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
.v { display: inline-flex; align-items: baseline; gap: .375rem; font-weight: 600; white-space: nowrap; }
.v::before { content: ''; flex: none; inline-size: .625rem; block-size: .625rem; background: currentColor; }
.trusted { color: var(--trusted); } .untrusted { color: var(--untrusted); } .stale { color: var(--stale); }
.unknown { color: var(--unknown); } .quarantined { color: var(--quarantined); }
.v.trusted::before { border-radius: 50%; }
.v.untrusted::before { clip-path: polygon(50% 0, 100% 100%, 0 100%); }
.v.stale::before { clip-path: polygon(0 0, 100% 0, 50% 50%, 100% 100%, 0 100%, 50% 50%); }
.v.unknown::before { border: .125rem solid currentColor; background: none; border-radius: 50%; }
.v.quarantined::before { clip-path: polygon(30% 0, 70% 0, 100% 30%, 100% 70%, 70% 100%, 30% 100%, 0 70%, 0 30%); }
.tag { display: inline-block; padding: 0 .4375rem; border: 1px solid var(--rule); border-radius: .75rem; font-size: .8125rem;
  background: var(--sunk); color: var(--ink); max-inline-size: 14rem; white-space: nowrap; overflow: hidden;
  text-overflow: ellipsis; vertical-align: bottom; }
.why { min-inline-size: 16rem; }
.thin { max-inline-size: 14rem; overflow-wrap: anywhere; min-inline-size: 6rem; }
.note, .alarm, .done { border: 1px solid var(--rule); border-inline-start: .25rem solid var(--edge); border-radius: .25rem;
  padding: .5rem .75rem; margin: 0 0 .875rem; background: var(--raised); }
.alarm { border-inline-start-color: var(--untrusted); background: var(--alarm); }
.done { border-inline-start-color: var(--trusted); background: var(--good); }
.note > :last-child, .alarm > :last-child, .done > :last-child { margin-bottom: 0; }
ul.plain { list-style: none; padding: 0; }
ul.plain > li { padding: .3125rem 0; border-bottom: 1px solid var(--rule); margin: 0; }
ul.plain > li:last-child { border-bottom: 0; }
ul.plain > li.alarm, ul.plain > li.note { border: 1px solid var(--rule); border-inline-start: .25rem solid var(--edge); padding: .5rem .75rem;
  margin-bottom: .375rem; }
ul.plain > li.alarm { border-inline-start-color: var(--untrusted); }
label { display: block; font-size: .8125rem; color: var(--dim); }
input, select, textarea, button, .button { font: inherit; color: var(--ink); background: var(--raised); border: 1px solid var(--edge);
  border-radius: .25rem; padding: .25rem .5rem; min-block-size: 1.875rem; max-inline-size: 100%; }
textarea { inline-size: 100%; }
button, .button { cursor: pointer; display: inline-block; text-decoration: none; background: var(--sunk); font-weight: 550;
  padding-inline: .75rem; }
button:hover, .button:hover { border-color: var(--ink); }
button.main { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
button.danger { color: var(--untrusted); border-color: currentColor; }
form.fields { display: flex; flex-wrap: wrap; gap: .5rem .75rem; align-items: end; margin: 0 0 .75rem; }
form.fields > div { min-inline-size: 0; }
form.fields input, form.fields select { inline-size: 11rem; }
form.fields input[type=file] { inline-size: 18rem; }
form.fields .short input { inline-size: 5rem; }
form.fields .long { flex: 1 1 16rem; }
form.fields .long input { inline-size: 100%; }
.pager { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; margin-top: .5rem; }
details { margin: 0 0 .5rem; }
summary { cursor: pointer; color: var(--accent); }
details[open] > summary { margin-bottom: .375rem; }
details.act { border-top: 1px solid var(--rule); padding-top: .375rem; margin: 0 0 .375rem; }
figure { margin: 0; }
figcaption { display: flex; flex-wrap: wrap; gap: .125rem 1rem; margin-bottom: .375rem; }
.chart svg { display: block; inline-size: 100%; block-size: auto; overflow: visible; }
.chart text { font-size: 11px; fill: var(--dim); }
.chart .axis { stroke: var(--rule); stroke-width: 1; }
.chart .area { stroke-width: 1; stroke: var(--raised); }
.chart .line { fill: none; stroke-width: 1.75; stroke: currentColor; stroke-linejoin: round; }
.chart .mark { fill: var(--raised); stroke: currentColor; stroke-width: 1.75; }
.chart .fill { fill: currentColor; }
.chart .track { fill: var(--track); }
.chart .here { fill: var(--accent); opacity: .35; }
.chart .passed { fill: var(--accent); }
.chart .stopped { fill: var(--untrusted); }
.legend { display: flex; flex-wrap: wrap; gap: .125rem 1rem; list-style: none; margin: .25rem 0 .375rem; padding: 0; font-size: .8125rem; }
.bar { inline-size: 40%; min-inline-size: 5rem; }
.bar svg { display: block; inline-size: 100%; block-size: .75rem; margin-top: .25rem; }
.bar rect { fill: currentColor; }
.bar rect.track { fill: var(--track); }
${PAGES_STYLE}
@media (max-width: 52rem) {
  body { grid-template: auto auto 1fr auto / minmax(0, 1fr); }
  nav.main { border-inline-end: 0; border-bottom: 1px solid var(--rule); padding: .375rem .75rem; }
  nav.main ul { display: flex; flex-wrap: wrap; gap: 0 .25rem; }
  nav.main a[aria-current] { box-shadow: inset 0 -.1875rem var(--accent); }
  main, .top, .foot { padding-inline: .75rem; }
  dl.facts { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dl.facts dd { margin-bottom: .25rem; }
}
@media (prefers-reduced-motion: no-preference) { a, button { transition: border-color .1s; } }
@media print { .top form, nav.main, form, .pager { display: none; } body { display: block; } }
`

/** The mark of the product, as the icon of a page. */
export const MARK = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 20"><rect width="20" height="20" rx="4" fill="#0b57a4"/><path d="m4 10 3 3.500L13 6M9.500 13.500 16 6" fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/></svg>`

/** Where the files of the console are. */
export const ASSETS_PATH = '/console/assets'

function named(name: string, extension: string, text: string): string {
  return `${name}-${toBase64Url(digest('sha256', toUtf8(text))).slice(0, 16)}.${extension}`
}

const STYLE_FILE = named('style', 'css', STYLE)
const MARK_FILE = named('mark', 'svg', MARK)

export const STYLE_PATH = `${ASSETS_PATH}/${STYLE_FILE}`
export const MARK_PATH = `${ASSETS_PATH}/${MARK_FILE}`

/** Files of the console by their names. A name is that of the content too, so that each may be kept for ever. */
export const ASSETS: ReadonlyMap<string, { readonly type: string; readonly text: string }> =
  new Map([
    [STYLE_FILE, { type: 'text/css; charset=UTF-8', text: STYLE }],
    [MARK_FILE, { type: 'image/svg+xml', text: MARK }],
  ])
