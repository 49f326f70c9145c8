/**
 * Tests that have a process of their own, by path from the project's root, and why. All others
 * share one with the files that a worker runs before and after them, so that what they import is
 * loaded once: a test leaves nothing behind in its process.
 */
export const ALONE: Readonly<Record<string, string>> = {
  'test/azure/provider-policy/provider-policy-workerd.test.ts':
    'workerd reads once in a process whom it trusts',
  'test/azure/stand-in-servers.test.ts': 'changes whom its process trusts',
  'test/http/agent/work.test.ts': 'counts the calls of functions, which others have loaded already',
  'test/worker/relay.test.ts': 'workerd reads once in a process whom it trusts',
  'test/worker/worker.test.ts': 'loads every module anew',
}
