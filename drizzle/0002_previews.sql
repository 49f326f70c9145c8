CREATE TABLE "preview" (
	"kind" text NOT NULL,
	"hash" text collate "C" NOT NULL,
	"policy_hash" text collate "C" NOT NULL,
	"reference_values_hash" text collate "C" NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"by" text NOT NULL,
	"summary" jsonb NOT NULL,
	CONSTRAINT "preview_kind_hash_pk" PRIMARY KEY("kind","hash")
);
--> statement-breakpoint
ALTER TABLE "signing_key" DROP CONSTRAINT "signing_key_use";--> statement-breakpoint
ALTER TABLE "document" ADD COLUMN "parent" text collate "C";--> statement-breakpoint
ALTER TABLE "signing_key" ADD CONSTRAINT "signing_key_use" CHECK ("signing_key"."use" in ('attestation', 'device-token', 'receipt'));