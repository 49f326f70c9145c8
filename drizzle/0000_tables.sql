CREATE TABLE "active_document" (
	"kind" text PRIMARY KEY NOT NULL,
	"hash" text collate "C" NOT NULL,
	"activated_at" timestamp (3) with time zone NOT NULL,
	"activated_by" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "attestation" (
	"device_id" text collate "C" NOT NULL,
	"attestation_id" text collate "C" NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"outcome" text NOT NULL,
	"stage" text,
	"verdict" text,
	"reasons" jsonb NOT NULL,
	"claims" jsonb,
	"digests" jsonb NOT NULL,
	"trace" jsonb,
	"issuer" text,
	"policy_hash" text,
	"evaluated_policy_hash" text,
	"reference_values_hash" text,
	CONSTRAINT "attestation_device_id_attestation_id_pk" PRIMARY KEY("device_id","attestation_id"),
	CONSTRAINT "attestation_outcome" CHECK ("attestation"."outcome" in ('accepted', 'refused'))
);
--> statement-breakpoint
CREATE TABLE "audit" (
	"device_id" text collate "C" NOT NULL,
	"audit_id" uuid NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"actor" text NOT NULL,
	"action" text NOT NULL,
	"detail" jsonb NOT NULL,
	CONSTRAINT "audit_device_id_audit_id_pk" PRIMARY KEY("device_id","audit_id")
);
--> statement-breakpoint
CREATE TABLE "client" (
	"client_id" text collate "C" PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"secret_hash" text collate "C" NOT NULL,
	"scopes" text[] NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"disabled_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "device" (
	"device_id" text collate "C" PRIMARY KEY NOT NULL,
	"key_kind" text NOT NULL,
	"device_key_hash" text collate "C" NOT NULL,
	"enrolment" text NOT NULL,
	"owner" text,
	"entra_device_id" text collate "C",
	"labels" text[] DEFAULT '{}'::text[] NOT NULL,
	"ring" smallint NOT NULL,
	"quarantined_at" timestamp (3) with time zone,
	"quarantined_by" text,
	"quarantine_reason" text,
	"attestation_id" text collate "C",
	"attested_at" timestamp (3) with time zone,
	"valid_until" timestamp (3) with time zone,
	"issuer" text,
	"policy_hash" text,
	"confirmation_key" text collate "C",
	"claims" jsonb,
	"verdict" text,
	"reasons" jsonb,
	"first_failed_at" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "device_key_kind" CHECK ("device"."key_kind" in ('aik', 'cnf')),
	CONSTRAINT "device_enrolment" CHECK ("device"."enrolment" in ('admitted', 'pending')),
	CONSTRAINT "device_ring" CHECK ("device"."ring" between 0 and 99),
	CONSTRAINT "device_verdict" CHECK ("device"."verdict" in ('trusted', 'untrusted', 'unknown')),
	CONSTRAINT "device_attestation_whole" CHECK (num_nulls("device"."attestation_id", "device"."attested_at", "device"."valid_until", "device"."issuer", "device"."policy_hash", "device"."confirmation_key", "device"."claims", "device"."verdict", "device"."reasons") in (0, 9)),
	CONSTRAINT "device_quarantine_whole" CHECK (num_nulls("device"."quarantined_at", "device"."quarantined_by", "device"."quarantine_reason") in (0, 3))
);
--> statement-breakpoint
CREATE TABLE "document" (
	"kind" text NOT NULL,
	"hash" text collate "C" NOT NULL,
	"body" jsonb NOT NULL,
	"author" text NOT NULL,
	"reason" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "document_kind_hash_pk" PRIMARY KEY("kind","hash"),
	CONSTRAINT "document_kind" CHECK ("document"."kind" in ('policy', 'reference-values'))
);
--> statement-breakpoint
CREATE TABLE "outbox" (
	"device_id" text collate "C" NOT NULL,
	"event_id" uuid NOT NULL,
	"type" text NOT NULL,
	"payload" jsonb NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"delivered_at" timestamp (3) with time zone,
	"attempts" integer DEFAULT 0 NOT NULL,
	"next_attempt_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "outbox_device_id_event_id_pk" PRIMARY KEY("device_id","event_id")
);
--> statement-breakpoint
CREATE TABLE "signing_key" (
	"kid" text collate "C" PRIMARY KEY NOT NULL,
	"use" text NOT NULL,
	"generation" integer NOT NULL,
	"algorithm" text NOT NULL,
	"public_jwk" jsonb NOT NULL,
	"certificate" text,
	"sealed_private_key" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"retires_at" timestamp (3) with time zone,
	CONSTRAINT "signing_key_generation" UNIQUE("use","generation"),
	CONSTRAINT "signing_key_use" CHECK ("signing_key"."use" in ('attestation', 'device-token'))
);
--> statement-breakpoint
CREATE TABLE "spent_nonce" (
	"device_id" text collate "C" NOT NULL,
	"nonce_id" text collate "C" NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "spent_nonce_device_id_nonce_id_pk" PRIMARY KEY("device_id","nonce_id")
);
--> statement-breakpoint
CREATE INDEX "attestation_newest" ON "attestation" USING btree ("device_id","at","attestation_id");--> statement-breakpoint
CREATE INDEX "attestation_refused" ON "attestation" USING btree ("device_id","at","attestation_id") WHERE "attestation"."outcome" = 'refused';--> statement-breakpoint
CREATE INDEX "attestation_at" ON "attestation" USING brin ("at");--> statement-breakpoint
CREATE INDEX "audit_at" ON "audit" USING brin ("at");--> statement-breakpoint
CREATE INDEX "outbox_undelivered" ON "outbox" USING btree ("next_attempt_at") WHERE "outbox"."delivered_at" is null;--> statement-breakpoint
CREATE INDEX "outbox_delivered" ON "outbox" USING btree ("delivered_at") WHERE "outbox"."delivered_at" is not null;--> statement-breakpoint
CREATE INDEX "spent_nonce_expires_at" ON "spent_nonce" USING btree ("expires_at");