import { auditSection } from './audit/section.ts'
import { clientsSection } from './clients/section.ts'
import { devicesSection } from './devices/section.ts'
import { entitiesSection } from './entities/section.ts'
import { keysSection } from './keys/section.ts'
import { overviewSection } from './overview/section.ts'
import { policiesSection } from './policies/section.ts'
import type { ConsoleSection } from './services.ts'
import { settingsSection } from './settings/section.ts'
import { streamsSection } from './streams/section.ts'

/** Every part of the console, in the order in which they stand in the navigation. */
export const CONSOLE_SECTIONS: readonly ConsoleSection[] = [
  overviewSection,
  devicesSection,
  policiesSection,
  entitiesSection,
  streamsSection,
  clientsSection,
  keysSection,
  auditSection,
  settingsSection,
]
