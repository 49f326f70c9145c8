import { resolve } from 'node:path'

/** Real evidence and conformance data, kept beside the project and never inside it. */
export const VECTORS_FOLDER = resolve(process.env.VECTORS_DIR ?? '../shared/vectors')
