/** What single pages need beyond what all of them share; a part of the one stylesheet. */
export const PAGES_STYLE = `
del { color: var(--dim); } ins { text-decoration: none; font-weight: 600; }
.cols + .panel { margin-block-start: .875rem; }
form.fields .auto select { inline-size: auto; }
.wraps { overflow-wrap: anywhere; }
textarea.code, pre.diff { font: .8125rem/1.45 ui-monospace, 'Cascadia Mono', 'SF Mono', Menlo, Consolas, monospace; tab-size: 2; }
pre.diff ins { color: var(--trusted); font-weight: 400; } pre.diff del { color: var(--untrusted); text-decoration: none; }
.fields-row { display: flex; flex-wrap: wrap; gap: .5rem .75rem; align-items: end; margin: .5rem 0; }
.fields-row .long { flex: 1 1 16rem; } .fields-row .long input { inline-size: 100%; }
fieldset { border: 1px solid var(--rule); border-radius: .25rem; margin: 0 0 .75rem; padding: .375rem .75rem; min-inline-size: 0; }
legend { padding: 0 .25rem; font-size: .8125rem; color: var(--dim); }
label.box { font-size: .875rem; color: var(--ink); }
label.box input { min-block-size: 0; inline-size: 1rem; block-size: 1rem; vertical-align: -.125rem; margin: 0 .25rem 0 0; accent-color: var(--accent); }
`
