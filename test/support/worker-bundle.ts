import { build, type Plugin } from 'esbuild'

/** Bare names of Node's modules, which old packages require. */
const nodeModules: Plugin = {
  name: 'node-modules',
  setup: ({ onResolve }) => {
    const names =
      /^(assert|buffer|child_process|crypto|events|fs|http|https|net|os|path|process|stream|tls|url|util|zlib)(\/promises)?$/
    onResolve({ filter: names }, ({ path }) => ({ path: `node:${path}`, external: true }))
  },
}

/**
 * One script for workerd from a test's own entry, as wrangler bundles: packages in the form that
 * they have for Workers, Node's modules left out, and the `[alias]` of wrangler.toml, unless the
 * test is about what needs jsrsasign itself.
 */
export async function bundleWorker(
  entry: string,
  { hasJsrsasign = false }: { readonly hasJsrsasign?: boolean } = {},
): Promise<string> {
  const built = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    platform: 'browser',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['node:*'],
    alias: hasJsrsasign ? {} : { jsrsasign: './src/azure/without-jsrsasign.ts' },
    plugins: [nodeModules],
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire('/worker.js');",
    },
  })
  return built.outputFiles[0]?.text ?? ''
}
