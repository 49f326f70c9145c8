import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'
import { describeWith } from './left-out.ts'

/** Where Debian and others install it. */
const BINARIES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

const executablePath = BINARIES.find((path) => existsSync(path))

/** A suite that needs a browser that nobody here wrote. */
export function describeChromium(name: string, suite: () => void): void {
  describeWith('chromium', executablePath !== undefined, name, suite)
}

/** Chromium without a window. Its sandbox needs rights that a container has not. */
export function launchChromium(): Promise<Browser> {
  if (executablePath === undefined) throw new TypeError('there is no Chromium here')
  return chromium.launch({ executablePath, args: ['--no-sandbox'] })
}
