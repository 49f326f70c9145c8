import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ALARM_NAMES, ALARMS } from '../src/alerts/alarms.ts'
import { EXIT } from '../src/cli/framework/command.ts'
import { beginMetrics } from '../src/compose/begin-metrics.ts'
import { EXPIRY_KINDS } from '../src/operations/expiry/expiry.ts'
import { describeWith } from './support/left-out.ts'

const RULES = 'docs/monitoring/alerts.yml'
const DASHBOARD = 'docs/monitoring/grafana-dashboard.json'
const metrics = await beginMetrics().registry.getMetricsAsJSON()

/** Each metric with the labels that it has, as `/metrics` says them. */
const labelsOf = new Map(
  metrics.map(({ name }) => {
    const declared = (beginMetrics().registry.getSingleMetric(name) as unknown as Declared)
      .labelNames
    return [name, { labels: new Set(declared) }]
  }),
)
type Declared = { readonly labelNames: readonly string[] }

/** The metric behind the name of a series: a histogram has several. */
function metricOf(series: string) {
  const name = series.replace(/_(?:bucket|sum|count)$/, '')
  return labelsOf.get(series) ?? labelsOf.get(name)
}

/** Expressions of the rules and of the panels of the dashboard. */
const rules = [...readFileSync(RULES, 'utf8').matchAll(/^ +expr: (.+)$/gm)].map(
  ([, expr = '']) => expr,
)
type Panel = {
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[]
}
const { panels }: { readonly panels: readonly Panel[] } = JSON.parse(
  readFileSync(DASHBOARD, 'utf8'),
)
const targets = panels.flatMap((panel) => panel.targets)

describe.each([
  [RULES, rules],
  [DASHBOARD, targets.map(({ expr }) => expr)],
])('%s', (_, expressions) => {
  test('names no metric that /metrics has not, and no label that it has not', () => {
    expect(expressions.length).toBeGreaterThan(10)
    for (const expression of expressions) {
      const series = [...expression.matchAll(/countersign_\w+/g)].map(([name]) => name)
      expect(series.length, expression).toBeGreaterThan(0)
      for (const one of series) expect(metricOf(one), `${one} in ${expression}`).toBeDefined()
      const all = new Set([...series.flatMap((one) => [...(metricOf(one)?.labels ?? [])]), 'le'])
      const named = [
        ...[...expression.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', ')),
        ...[...expression.matchAll(/[{,] *(\w+)(?:=|!|~)/g)].map(([, name = '']) => name),
      ]
      for (const label of named) expect(all, `${label} in ${expression}`).toContain(label)
    }
  })
})

test('the legends of the dashboard name labels that their series keep', () => {
  for (const { expr, legendFormat } of targets) {
    const kept = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', '))
    for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
      expect(kept, `${legendFormat} of ${expr}`).toContain(label)
    }
  }
})

describe('docs/monitoring.md', () => {
  test('tells of each metric of ours, and of no other', () => {
    const page = readFileSync('docs/monitoring.md', 'utf8')
    const told = [...page.matchAll(/^\| `(countersign_\w+)` \|/gm)].map(([, name]) => name)
    expect(told.toSorted()).toEqual([...labelsOf.keys()].toSorted())
  })
})

describe('docs/alarms.md', () => {
  test('has the row of each alarm, as the service tells it', () => {
    const page = readFileSync('docs/alarms.md', 'utf8')
    const rows = ALARM_NAMES.map((name) => {
      const { severity, summary, remedy } = ALARMS[name]
      return `| \`${name}\` | ${severity} | ${summary} | ${remedy} |`
    })
    for (const row of rows) expect(page).toContain(row)
    expect([...page.matchAll(/^\| `\w+` \| (?:critical|warning|info) \|/gm)]).toHaveLength(
      rows.length,
    )
  })
})

test('docs/expiry.md has a row for each kind of what ends', () => {
  const page = readFileSync('docs/expiry.md', 'utf8')
  const told = [...page.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(([, names = '']) =>
    [...names.matchAll(/\w+/g)].map(([name]) => name),
  )
  expect(told.toSorted()).toEqual([...EXPIRY_KINDS].toSorted())
})

test('docs/command-line.md has each exit status with its name', () => {
  const page = readFileSync('docs/command-line.md', 'utf8')
  const told = [...page.matchAll(/^\| (\d+) \| `(\w+)` \|/gm)].map(([, code, name]) => [
    name,
    Number(code),
  ])
  expect(Object.fromEntries(told)).toEqual(EXIT)
})

/** The witness is Prometheus itself: its own check of the rules, and its own parser of the dashboard's queries. */
describeWith('promtool', spawnSync('promtool', ['--version']).status === 0, 'promtool', () => {
  test('finds nothing wrong with the rules', () => {
    const text = execFileSync('promtool', ['check', 'rules', RULES], { encoding: 'utf8' })
    expect(text).toContain(`SUCCESS: ${rules.length} rules found`)
  })

  test('reads each query of the dashboard as a rule', () => {
    const content = targets.map(
      ({ expr }, at) => `      - record: panel:${at}\n        expr: ${JSON.stringify(expr)}\n`,
    )
    const file = `groups:\n  - name: dashboard\n    rules:\n${content.join('')}`
    const folder = mkdtempSync(join(tmpdir(), 'countersign-rules-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const path = join(folder, 'dashboard.yml')
    writeFileSync(path, file)
    const text = execFileSync('promtool', ['check', 'rules', path], { encoding: 'utf8' })
    expect(text).toContain(`SUCCESS: ${targets.length} rules found`)
  })

  test('finds nothing wrong with what /metrics answers', async () => {
    const input = await beginMetrics().registry.metrics()
    const checked = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' })
    expect(checked.stderr).toBe('')
    expect(checked.status).toBe(0)
  })
})
