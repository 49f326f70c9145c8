/** The one stylesheet of the pages: dark on light or light on dark, each with a contrast above 7 to 1 (WCAG 2.2 §1.4.6). */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1a1a1a; --soft: #4a4a4a; --paper: #fff; --line: #c9c9c9; --accent: #0b3d91; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #f2f2f2; --soft: #c4c4c4; --paper: #161616; --line: #4a4a4a; --accent: #a8c7ff; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
header, main { max-width: 60rem; margin: 0 auto; padding: 0 1rem; }
main { padding-bottom: 4rem; }
h1 { font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { font-size: 1.125rem; margin: 2rem 0 0.5rem; }
a { color: var(--accent); }
:focus-visible { outline: 3px solid var(--ink); outline-offset: 2px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: 1rem; padding: 0.5rem; background: var(--paper); }
code { font: 0.9375em ui-monospace, monospace; overflow-wrap: anywhere; }
.soft { color: var(--soft); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.375rem 0.75rem 0.375rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
td > ul, li > ul { margin: 0.25rem 0 0; padding-left: 1.25rem; }
dt { font-weight: 600; margin-top: 0.5rem; }
dd { margin: 0 0 0 1.25rem; }
@media (max-width: 40rem) { th:last-child, td:last-child { padding-right: 0; } }
`
