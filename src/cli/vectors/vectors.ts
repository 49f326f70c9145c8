import { group } from '../framework/command.ts'
import { exportVerb } from './export.ts'

export const command = group({
  about: 'Golden vectors: what an agent in another language is held against.',
  verbs: { export: exportVerb },
})
