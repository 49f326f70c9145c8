import { defineConfig } from 'drizzle-kit'

/** Run from the top of the checkout: `npx drizzle-kit generate --config drizzle/drizzle.config.ts`. */
export default defineConfig({
  dialect: 'postgresql',
  schema: ['./src/store/schema/schema.ts', './src/store/schema/steering-schema.ts'],
  out: './drizzle',
})
