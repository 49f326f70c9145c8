import { group } from '../framework/command.ts'
import { exportReceipt } from './export.ts'
import { verify } from './verify.ts'

export const command = group({
  about:
    'A decision carries a receipt in context.receipt if its request has "receipt": true in its context.',
  verbs: { verify, export: exportReceipt },
})
