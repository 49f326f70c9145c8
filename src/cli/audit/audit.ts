import { group } from '../framework/command.ts'
import { exportLog } from './export.ts'
import { listEntries } from './list.ts'
import { verify } from './verify.ts'

export const command = group({
  about: `The log of who changed what. Nobody can change it without its being found: each entry is a leaf of
a Merkle tree (RFC 6962) whose root is signed every few seconds. See docs/audit.md.`,
  verbs: { list: listEntries, export: exportLog, verify },
})
