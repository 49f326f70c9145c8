CREATE TABLE "fleet_summary" (
	"name" text collate "C" PRIMARY KEY NOT NULL,
	"body" jsonb NOT NULL,
	"at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "client" ADD COLUMN "secret_changed_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "client" ADD COLUMN "secret_used_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "client" ADD COLUMN "previous_secret_hash" text collate "C";--> statement-breakpoint
ALTER TABLE "client" ADD COLUMN "previous_secret_until" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "client" ADD COLUMN "previous_secret_used_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "client" ADD CONSTRAINT "client_previous_secret_whole" CHECK (num_nulls("client"."previous_secret_hash", "client"."previous_secret_until") in (0, 2));