CREATE TABLE "audit_leaf" (
	"position" bigint PRIMARY KEY NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"audit_id" uuid NOT NULL,
	"device_id" text collate "C" NOT NULL,
	CONSTRAINT "audit_leaf_row" UNIQUE("at","audit_id","device_id")
);
--> statement-breakpoint
CREATE TABLE "audit_log" (
	"id" integer PRIMARY KEY NOT NULL,
	"origin" text,
	"size" bigint NOT NULL,
	"checkpoint" text,
	"signed_at" timestamp (3) with time zone,
	"begun_at" timestamp (3) with time zone NOT NULL,
	"adopted_at" timestamp (3) with time zone,
	"adopted_id" uuid,
	"is_adopted" boolean DEFAULT false NOT NULL,
	CONSTRAINT "audit_log_one_row" CHECK ("audit_log"."id" = 1)
);
--> statement-breakpoint
CREATE TABLE "audit_pending" (
	"at" timestamp (3) with time zone NOT NULL,
	"audit_id" uuid NOT NULL,
	"device_id" text collate "C" NOT NULL,
	CONSTRAINT "audit_pending_at_audit_id_device_id_pk" PRIMARY KEY("at","audit_id","device_id")
);
--> statement-breakpoint
CREATE TABLE "audit_tile" (
	"level" smallint NOT NULL,
	"tile" bigint NOT NULL,
	"hashes" "bytea" NOT NULL,
	CONSTRAINT "audit_tile_level_tile_pk" PRIMARY KEY("level","tile")
);
--> statement-breakpoint
ALTER TABLE "signing_key" DROP CONSTRAINT "signing_key_use";--> statement-breakpoint
ALTER TABLE "audit" ADD COLUMN "request" jsonb DEFAULT nullif(current_setting('countersign.request'::text, true), ''::text)::jsonb;--> statement-breakpoint
ALTER TABLE "signing_key" ADD CONSTRAINT "signing_key_use" CHECK ("signing_key"."use" in ('attestation', 'device-token', 'receipt', 'enrolment', 'security-event', 'access-token', 'sign-in', 'external-evaluation', 'audit-log'));--> statement-breakpoint
-- The tree is empty; rows that were there before it are adopted bit by bit.
INSERT INTO audit_log (id, size, begun_at) VALUES (1, 0, now());
