import type { JsonFailure } from '../../base/json/tree.ts'
import type { ParseFailure } from '../../evidence/bytes.ts'
import type { TpmKeyFailure } from '../../evidence/tpm/key.ts'
import type { DeviceKeyFailure } from '../steps/own-nonce.ts'
import type { ApiVersionFailure } from './api-version.ts'
import type { MessageFailure } from './message-reader.ts'
import type { RequestJwsFailure } from './request-jws.ts'
import type { RequestKeyFailure } from './request-keys.ts'
import type { ContextFailure, ContextLimitFailure } from './service-context.ts'

/** Why a message is refused whatever evidence it carries; every kind of evidence may say it, too. */
export type ProtocolFailure =
  | ApiVersionFailure
  | MessageFailure
  | JsonFailure
  | RequestJwsFailure
  | RequestKeyFailure
  | ContextFailure
  | ContextLimitFailure
  | DeviceKeyFailure
  | ParseFailure
  | TpmKeyFailure
