/** A module of the conformance suite, as its list of conditions has it. */
export type SuiteModule = {
  readonly name: string
  /** Conditions whose failure is a failure or a warning there. */
  readonly conditions: readonly string[]
}

/**
 * Reads the modules and conditions of the OpenID Foundation's conformance suite for SSF transmitters out of the list
 * that was extracted from its sources. Modules that others extend have no name of their own there: the name of
 * their class stands for it.
 */
export function readSuiteModules(text: string): readonly SuiteModule[] {
  return text
    .split(/^## /m)
    .slice(1)
    .flatMap((section) => {
      const [className = ''] = section.split('\n')
      const name = /^testName: `([^`]+)`/m.exec(section)?.[1] ?? className
      const checks = section.matchAll(
        /^- (?:check|STOP)\((?:new )?(\w+)(?:\.class)?.*?(?:(INFO)|$)/gm,
      )
      const conditions = [...checks].flatMap(([line, condition = '']) => {
        return line.includes(', INFO') ? [] : [condition]
      })
      return conditions.length === 0 ? [] : [{ name, conditions: [...new Set(conditions)] }]
    })
}
