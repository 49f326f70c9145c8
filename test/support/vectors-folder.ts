import { resolve } from 'node:path'

/** Real evidence and conformance data, kept beside the project and never inside it. */
export const VECTORS_FOLDER = resolve(process.env.VECTORS_DIR ?? '../shared/vectors')

/** Inputs from the field that were judged wrongly once, each with the right answer. */
export const CASES_FOLDER = resolve(VECTORS_FOLDER, '../cases')
