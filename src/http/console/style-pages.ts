/** What single pages need beyond what all of them share; a part of the one stylesheet. */
export const PAGES_STYLE = `
del { color: var(--dim); } ins { text-decoration: none; font-weight: 600; }
.wraps { overflow-wrap: anywhere; }
fieldset { border: 1px solid var(--rule); border-radius: .25rem; margin: 0 0 .75rem; padding: .375rem .75rem; min-inline-size: 0; }
legend { padding: 0 .25rem; font-size: .8125rem; color: var(--dim); }
label.box { font-size: .875rem; color: var(--ink); }
label.box input { min-block-size: 0; inline-size: 1rem; block-size: 1rem; vertical-align: -.125rem; margin: 0 .25rem 0 0; accent-color: var(--accent); }
`
