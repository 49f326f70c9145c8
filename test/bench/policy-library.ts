import { Environment } from '@marcbachmann/cel-js'
import type { PolicyDocument } from '../../src/policy/document/document.ts'
import { MEMBERS, type PolicyInput } from '../../src/policy/language/input.ts'
import { POLICY_TYPES, POLICY_VARIABLES } from '../../src/policy/language/variables.ts'

type View = new (source: object) => object

/**
 * The clauses of a document as the library evaluates them that otherwise only parses and checks:
 * objects whose class it knows, with a getter for each member, so that nothing is copied.
 */
export function prepareLibrary(
  document: PolicyDocument,
): (input: PolicyInput) => readonly { readonly status: string }[] {
  const views = defineViews()
  const environment = new Environment()
  for (const [name, declarations] of Object.entries(POLICY_TYPES)) {
    const fields = Object.entries(declarations).map(([field, { type }]) => [field, type])
    environment.registerType(name, {
      ctor: viewOf(views, name),
      fields: Object.fromEntries(fields),
    })
  }
  for (const [name, type] of Object.entries(POLICY_VARIABLES)) {
    environment.registerVariable(name, type)
  }
  const clauses = document.clauses.map(({ id, severity, require }) => {
    const program = environment.parse(require)
    if (!program.check().valid) throw new TypeError(`${id} does not compile`)
    return { id, severity, program }
  })
  const Attestation = viewOf(views, 'Attestation')
  return ({ attestation, now }) => {
    const variables = { now, ...(attestation && { attestation: new Attestation(attestation) }) }
    return clauses.map(({ id, severity, program }) => {
      const outcome = { clause: id, scope: 'device', severity }
      try {
        return { ...outcome, status: program(variables) === true ? 'pass' : 'fail' }
      } catch (error) {
        return { ...outcome, status: 'undecidable', cause: String(error) }
      }
    })
  }
}

function viewOf(views: ReadonlyMap<string, View>, name: string): View {
  const view = views.get(name)
  if (view === undefined) throw new TypeError(`no view of ${name}`)
  return view
}

function defineViews(): ReadonlyMap<string, View> {
  const views = new Map<string, View>()
  for (const [type, members] of Object.entries(MEMBERS)) {
    class Members {
      readonly source: object
      constructor(source: object) {
        this.source = source
      }
    }
    for (const [name, read] of Object.entries(members)) {
      const declared = POLICY_TYPES[type]?.[name]?.type ?? ''
      const get = function (this: Members) {
        const value: unknown = read(this.source as never)
        if (value === undefined || value === null) return undefined
        if (declared === 'int') return BigInt(value as number)
        const inner = views.get(declared)
        return inner === undefined ? value : new inner(value)
      }
      Object.defineProperty(Members.prototype, name, { get })
    }
    views.set(type, Members)
  }
  return views
}
