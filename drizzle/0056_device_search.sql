ALTER TABLE "device" ADD COLUMN "name" text;--> statement-breakpoint
ALTER TABLE "device" ADD COLUMN "serial" text;--> statement-breakpoint
ALTER TABLE "device" ADD COLUMN "name_folded" text;--> statement-breakpoint
ALTER TABLE "device" ADD COLUMN "serial_folded" text;--> statement-breakpoint
ALTER TABLE "device" ADD COLUMN "unmet" text[] DEFAULT '{}'::text[] NOT NULL;