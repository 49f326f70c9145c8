import { ENTITY_KINDS } from '../../access/directory.ts'
import { ENTITIES_AT_ONCE, source as sourceForm } from '../../operations/entities/read-entity.ts'
import type { EntityFilter } from '../../operations/entities/walk-entities.ts'
import { EXIT, group, verb } from '../framework/command.ts'
import { confirmer } from '../framework/confirm.ts'
import { limit, oneOf, option, preset, required, text, YES } from '../framework/options.ts'
import { readLines } from '../framework/read-lines.ts'
import { UsageError } from '../framework/usage-error.ts'
import { importFile } from './import.ts'
import { exportEntities, listEntities, removeAll } from './list.ts'

const SOURCE = option('NAME', 'where they come from', readSource)

const FILTERS = {
  kind: oneOf('KIND', 'subject, resource or action', ENTITY_KINDS),
  type: text('TYPE', 'of this type; goes with --kind'),
  source: SOURCE,
}

export const command = group({
  about: `What is known of the subjects, resources and actions of questions: type, id and properties. A policy
reads it as subject.properties, resource.properties and action.properties where a question says
none; what a caller sends wins. Searches of relying parties go through it.`,
  verbs: {
    import: verb({
      summary: 'set entities from a file of JSON lines',
      about: `Each line is {"kind":"subject","type":"user","id":"alice","properties":{"role":"admin"}}, with the
kind resource the same, or {"kind":"action","name":"read","properties":{}}; "source" may stand
beside them. Properties replace those that were there. The whole file is checked before anything is
written. Lines are written by ${ENTITIES_AT_ONCE}, all of them or none; importing the same file again changes
nothing, so that one that was stopped is begun again.`,
      database: 'existing',
      arguments: { file: required(text('FILE', 'the file of JSON lines')) },
      options: { source: preset(SOURCE, 'import') },
      json: 'how many entities were added, changed and unchanged',
      exits: { interrupted: 'stopped before the end of the file' },
      stopped: 'The batches before it are done; import the file again for the rest.',
      run:
        ({ file, source, json }) =>
        (store) =>
          importFile(store, { path: file, lines: () => readLines(file), source, json }),
    }),
    list: verb({
      summary: 'list entities',
      database: 'existing',
      options: { ...FILTERS, limit: limit(50) },
      json: 'the entities, as the administration API shows them',
      exits: { interrupted: 'stopped before the end of the directory' },
      run: ({ limit, json, data: _, ...filter }) => {
        const checked = checkFilter(filter)
        return (store) => listEntities(store, { filter: checked, limit, json })
      },
    }),
    export: verb({
      summary: 'write all entities, or those that are meant, as JSON lines',
      about: 'Goes to standard output, in the form that entities import reads.',
      database: 'existing',
      options: FILTERS,
      json: { none: 'it writes a JSON document a line' },
      exits: { interrupted: 'stopped before the end of the directory' },
      stopped: 'What was written is not all.',
      run: ({ json: _, data: __, ...filter }) => {
        const checked = checkFilter(filter)
        return (store) => exportEntities(store, checked)
      },
    }),
    remove: verb({
      summary: 'remove entities',
      about: `Questions about them have no properties from then on but those that callers send. Nothing but
--kind, --type, --id and --source says which are meant, so that one of these is needed.`,
      database: 'existing',
      options: { ...FILTERS, id: text('ID', 'this one; goes with --kind, --type'), yes: YES },
      json: 'how many entities were removed',
      exits: {
        refused: 'you said no',
        interrupted: 'stopped before the end of the directory',
      },
      stopped: 'Those before it are removed; begin it again for the rest.',
      run: ({ id, yes, json, data: _, ...filter }) => {
        const checked = checkFilter(filter)
        if (Object.values(filter).every((one) => one === undefined) && id === undefined) {
          throw new UsageError('say which: --kind, --type, --id or --source')
        }
        const isAction = checked.kind === 'action'
        if (id !== undefined && (checked.kind === undefined || (!isAction && !checked.type))) {
          throw new UsageError('--id goes with --kind and --type; an action has no type')
        }
        const confirm = confirmer({ json, yes })
        return async (store) => {
          const isSure = await confirm(`Remove ${describeFilter({ ...filter, id })}?`)
          if (!isSure) return EXIT.refused
          const isMeant = (one: { readonly id: string }) => id === undefined || one.id === id
          return removeAll(store, { filter: checked, isMeant, json })
        }
      },
    }),
  },
})

function checkFilter(filter: EntityFilter): EntityFilter {
  if (filter.type !== undefined && filter.kind === undefined) {
    throw new UsageError('--type goes with --kind')
  }
  return filter
}

function describeFilter(filter: EntityFilter & { readonly id: string | undefined }): string {
  const said = Object.entries(filter).filter(([, value]) => value !== undefined)
  return `all entities of ${said.map(([name, value]) => `${name} ${value}`).join(', ')}`
}

function readSource(given: string, label: string): string {
  const read = sourceForm().safeParse(given)
  if (read.success) return read.data
  throw new UsageError(`${label} must have 1 to 64 characters`)
}
