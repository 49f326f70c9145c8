/** Limits of what identity providers send a person's browser here with. */

/** An `id_token_hint`. Those of Entra have 1 to 2 KiB. */
export const MAX_HINT_CHARS = 8_192
/** `state`, which goes back as it came. Entra's has about 1 KiB. */
export const MAX_STATE_CHARS = 4_096
/** `nonce`, and every name that a request or a hint has of somebody. */
export const MAX_NAME_CHARS = 512
/** `claims`, a request for claims. */
export const MAX_CLAIMS_CHARS = 4_096

/** Registered identity providers, and the places that each may be answered at. */
export const MAX_SIGN_IN_CLIENTS = 32
export const MAX_REDIRECT_URIS = 8

/** So long a person has to prove the device, starting the agent included: Entra waits about ten minutes. */
export const SIGN_IN_SECONDS = 540
/** An ID token is read at once: the identity provider waits for it. */
export const ID_TOKEN_SECONDS = 300
