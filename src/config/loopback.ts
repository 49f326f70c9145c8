export const LOOPBACK = ['127.0.0.1', '::1', 'localhost']

/** Whether a host, as HOST or a URL names it, is this machine to itself alone. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.includes(host.replace(/^\[(.*)\]$/, '$1'))
}
