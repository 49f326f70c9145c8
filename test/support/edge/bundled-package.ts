import { builtinModules } from 'node:module'
import { build, type Plugin as EsbuildPlugin } from 'esbuild'
import type { Plugin } from 'vite'

/**
 * Gives tests inside workerd a CommonJS package as one bundled module, as a deployment has it. The
 * runner's own loader runs such packages file by file and fails where one requires `process`.
 */
export function bundledPackage(name: string): Plugin {
  const id = `\0bundled:${name}`
  return {
    name: 'bundled-package',
    enforce: 'pre',
    resolveId: (specifier) => (specifier === name ? id : undefined),
    load: (loaded) => (loaded === id ? bundle(name) : undefined),
  }
}

async function bundle(name: string): Promise<string> {
  const { default: exported } = (await import(name)) as { default: object }
  const contents = `
    import exported from '${name}'
    export default exported
    export const { ${Object.keys(exported).join(', ')} } = exported
  `
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    platform: 'node',
    conditions: ['workerd'],
    external: ['cloudflare:*', 'pg-native'],
    plugins: [importedBuiltins],
  })
  return outputFiles[0]?.text ?? ''
}

/** `require` of a module of Node's becomes an import: there is no `require` in an ES module. */
const importedBuiltins: EsbuildPlugin = {
  name: 'imported-builtins',
  setup: ({ onResolve, onLoad }) => {
    const names = new RegExp(`^(?:node:)?(${builtinModules.join('|')})$`)
    onResolve({ filter: names }, ({ path, kind }) =>
      kind === 'require-call'
        ? { path: path.replace(/^node:/, ''), namespace: 'builtin' }
        : { path, external: true },
    )
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `export * from 'node:${path}'; export { default } from 'node:${path}'`,
    }))
  },
}
