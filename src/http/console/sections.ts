import { devicesSection } from './devices/section.ts'
import { overviewSection } from './overview/section.ts'
import type { ConsoleSection } from './services.ts'

/** Every part of the console, in the order in which they stand in the navigation. */
export const CONSOLE_SECTIONS: readonly ConsoleSection[] = [overviewSection, devicesSection]
