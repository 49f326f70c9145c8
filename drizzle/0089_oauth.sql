CREATE TABLE "spent_proof" (
	"proof_id" text collate "C" NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "spent_proof_proof_id_expires_at_pk" PRIMARY KEY("proof_id","expires_at")
) PARTITION BY RANGE ("expires_at");
--> statement-breakpoint
-- Rows for which nobody made a partition in time: a missing one is an alarm and never a refusal.
CREATE TABLE "spent_proof_default" PARTITION OF "spent_proof" DEFAULT;
--> statement-breakpoint
ALTER TABLE "signing_key" DROP CONSTRAINT "signing_key_use";--> statement-breakpoint
ALTER TABLE "client" ALTER COLUMN "secret_hash" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "client" ADD COLUMN "keys" jsonb;--> statement-breakpoint
ALTER TABLE "client" ADD COLUMN "generation" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "client" ADD COLUMN "revoked_tokens" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "client" ADD CONSTRAINT "client_proven_by_one" CHECK (num_nulls("client"."secret_hash", "client"."keys") = 1);--> statement-breakpoint
ALTER TABLE "signing_key" ADD CONSTRAINT "signing_key_use" CHECK ("signing_key"."use" in ('attestation', 'device-token', 'receipt', 'enrolment', 'security-event', 'access-token'));