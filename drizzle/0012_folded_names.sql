-- What devices are searched by, with letter case folded by the service: lower() knows the letters of
-- the database's locale, which under C are those of ASCII.
ALTER TABLE "device" ADD COLUMN "owner_folded" text;--> statement-breakpoint
ALTER TABLE "device" ADD COLUMN "entra_device_id_folded" text;--> statement-breakpoint
ALTER TABLE "device" ADD COLUMN "labels_folded" text[] DEFAULT '{}'::text[] NOT NULL;--> statement-breakpoint
-- Exact for ASCII; the rest is folded when it is set again.
UPDATE "device" SET
  "owner_folded" = lower("owner"),
  "entra_device_id_folded" = lower("entra_device_id"),
  "labels_folded" = ARRAY(SELECT lower(label) FROM unnest("labels") AS label)
WHERE "owner" IS NOT NULL OR "entra_device_id" IS NOT NULL OR "labels" <> '{}';
