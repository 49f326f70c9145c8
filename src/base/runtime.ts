/**
 * Whether this is Node itself. Other runtimes lend its modules and not always what they do: the
 * `verify` of workerd ignores the padding that it is told, so that a signature of PKCS #1 v1.5
 * passes as PSS there.
 */
export const IS_NODE = globalThis.navigator?.userAgent?.startsWith('Node.js/') === true
