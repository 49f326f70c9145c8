CREATE TABLE "sign_in" (
	"sign_in_id" text collate "C" NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"client_id" text NOT NULL,
	"request" jsonb NOT NULL,
	"browser_hash" text collate "C" NOT NULL,
	"proven_at" timestamp (3) with time zone,
	"ended_at" timestamp (3) with time zone,
	CONSTRAINT "sign_in_sign_in_id_expires_at_pk" PRIMARY KEY("sign_in_id","expires_at")
) PARTITION BY RANGE ("expires_at");
--> statement-breakpoint
-- Rows for which nobody made a partition in time: a missing one is an alarm and never a refusal.
CREATE TABLE "sign_in_default" PARTITION OF "sign_in" DEFAULT;
--> statement-breakpoint
ALTER TABLE "signing_key" DROP CONSTRAINT "signing_key_use";--> statement-breakpoint
ALTER TABLE "signing_key" ADD CONSTRAINT "signing_key_use" CHECK ("signing_key"."use" in ('attestation', 'device-token', 'receipt', 'enrolment', 'security-event', 'access-token', 'sign-in'));