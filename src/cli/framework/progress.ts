/** One line that redraws itself on a terminal, and a line now and then where output is kept. */
export type Progress = {
  readonly show: (text: string) => void
  readonly end: () => void
}

const KEPT_EVERY_MS = 5000

type ProgressStream = { readonly isTTY?: boolean; readonly write: (text: string) => unknown }

export function createProgress(stream: ProgressStream, clock: () => Date): Progress {
  let last = 0
  return {
    show(text) {
      if (stream.isTTY) {
        stream.write(`\r\x1b[2K${text}`)
        return
      }
      const now = clock().getTime()
      if (now - last < KEPT_EVERY_MS) return
      last = now
      stream.write(`${text}\n`)
    },
    end() {
      if (stream.isTTY) stream.write('\r\x1b[2K')
    },
  }
}

/** `█████░░░░░  50%` */
export function renderBar(done: number, total: number, cells = 20): string {
  const share = total === 0 ? 1 : Math.min(1, done / total)
  const full = Math.round(share * cells)
  return `${'█'.repeat(full)}${'░'.repeat(cells - full)} ${String(Math.round(share * 100)).padStart(3)}%`
}
