import { defineConfig } from 'drizzle-kit'

/** For `npm run generate`, from the top of the checkout. */
export default defineConfig({
  dialect: 'postgresql',
  schema: './src/store/schema/*-schema.ts',
  out: './drizzle',
})
