/**
 * How this program is called, in every text that names one of its commands. It only works in a
 * checkout, whose `package.json` has the script: `npx countersign` would fetch and run a package of
 * that name which anybody can publish.
 */
export const COMMAND = 'npm run -s countersign --'
