/**
 * The SDKs of Azure that messages are sent with. They are large: who relays nothing never loads them,
 * and they are loaded with the first message, as a Worker may not load them when it starts. To look
 * up a module that is loaded costs more than to sign a device token, so they are kept; and what is
 * kept is modules and no promises, since in a Worker no request may wait for what another one began.
 */
export const loadAttestationSdk = keepLoaded(() => import('@azure/attestation'))
export const loadPipelineSdk = keepLoaded(() => import('@azure/core-rest-pipeline'))

function keepLoaded<T>(load: () => Promise<T>): () => T | Promise<T> {
  let loaded: T | undefined
  const loadFirst = async () => {
    loaded = await load()
    return loaded
  }
  return () => loaded ?? loadFirst()
}
