import { toBase64Url } from '../base/encoding.ts'
import type { EnclaveIdentity, EnclaveModule } from './enclave.ts'
import { nameDigest } from './firmware-events.ts'

/** ENCLAVE_IDENTITY.Flags (ntenclv.h). */
export const ENCLAVE_FLAGS = { fullDebug: 1, dynamicDebug: 2, dynamicDebugActive: 4 } as const

/** Below this version the virtual agent's enclave counts as outdated. */
export const MINIMUM_ENCLAVE_SVN = 3

/** The virtual security agent's enclave in its current, closed version. */
export const CURRENT_ENCLAVE: EnclaveIdentity = {
  ownerId: new Uint8Array(32),
  uniqueId: nameDigest('agent enclave image 5'),
  authorId: nameDigest('agent enclave author'),
  familyId: nameDigest('agent enclave family').subarray(0, 16),
  imageId: nameDigest('agent enclave').subarray(0, 16),
  enclaveSvn: 5,
  secureKernelSvn: 1,
  platformSvn: 1,
  flags: 0,
  signingLevel: 0,
}

const PLATFORM_MODULES = ['ucrtbase_enclave.dll', 'vertdll.dll', 'bcryptPrimitives.dll']

/** The primary module first, then the platform's, which have no author. */
export function listEnclaveModules(identity: EnclaveIdentity): readonly EnclaveModule[] {
  const { uniqueId, authorId, familyId, imageId, enclaveSvn: svn } = identity
  return [
    { uniqueId, authorId, familyId, imageId, svn, name: 'virtual-agent-enclave.dll' },
    ...PLATFORM_MODULES.map((name) => ({
      uniqueId: nameDigest(name),
      authorId: new Uint8Array(32),
      familyId: new Uint8Array(16),
      imageId: new Uint8Array(16),
      svn: 1,
      name,
    })),
  ]
}

/** The reference values document under which virtual devices are to be appraised. */
export function listSimulatorReferenceValues() {
  return {
    name: 'virtual devices of the simulator',
    enclaves: [
      {
        name: 'virtual agent',
        author_id: toBase64Url(CURRENT_ENCLAVE.authorId),
        family_id: toBase64Url(CURRENT_ENCLAVE.familyId),
        image_ids: [toBase64Url(CURRENT_ENCLAVE.imageId)],
        minimum_svn: MINIMUM_ENCLAVE_SVN,
      },
    ],
  }
}
