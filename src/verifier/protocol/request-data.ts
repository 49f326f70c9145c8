import type { ParseFailure } from '../../evidence/bytes.ts'
import type { AttestationEvidence } from '../steps/attestation-evidence.ts'
import type { KeyBindingFailure } from '../steps/key-binding.ts'
import type { JwkFailure } from '../steps/public-jwk.ts'

/** A key, its binding or a platform statement inside a request can have faults of its own. */
export type RequestDataFailure = JwkFailure | ParseFailure | KeyBindingFailure

/** What the two versions write differently. */
export type RequestData = Pick<
  AttestationEvidence,
  'current' | 'beforeHibernation' | 'requestKey' | 'otherKeys'
>

export type RequestType = 'basic' | 'vbs'
