CREATE TABLE "attestation" (
	"device_id" text collate "C" NOT NULL,
	"attestation_id" text collate "C" NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"verdict" text NOT NULL,
	"reasons" jsonb NOT NULL,
	"claims" jsonb NOT NULL,
	"digests" jsonb NOT NULL,
	"trace" jsonb,
	"issuer" text NOT NULL,
	"policy_hash" text NOT NULL,
	"evaluated_policy_hash" text,
	"reference_values_hash" text,
	"is_current" boolean NOT NULL,
	"is_new" boolean NOT NULL,
	CONSTRAINT "attestation_device_id_at_attestation_id_pk" PRIMARY KEY("device_id","at","attestation_id")
) PARTITION BY RANGE ("at");
--> statement-breakpoint
CREATE TABLE "audit" (
	"device_id" text collate "C" NOT NULL,
	"audit_id" uuid NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"actor" text NOT NULL,
	"action" text NOT NULL,
	"detail" jsonb NOT NULL,
	CONSTRAINT "audit_device_id_at_audit_id_pk" PRIMARY KEY("device_id","at","audit_id")
) PARTITION BY RANGE ("at");
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
	"owner_folded" text,
	"entra_device_id_folded" text,
	"labels_folded" text[] DEFAULT '{}'::text[] NOT NULL,
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
	"announced_verdict" text DEFAULT 'unknown' NOT NULL,
	"generation" integer DEFAULT 1 NOT NULL,
	"vouched" boolean DEFAULT false NOT NULL,
	"seen_on" date,
	"archived_at" timestamp (3) with time zone,
	"linked_keys" text[] DEFAULT '{}'::text[] NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "device_key_kind" CHECK ("device"."key_kind" in ('aik', 'cnf', 'tpm')),
	CONSTRAINT "device_enrolment" CHECK ("device"."enrolment" in ('admitted', 'pending')),
	CONSTRAINT "device_ring" CHECK ("device"."ring" between 0 and 99),
	CONSTRAINT "device_verdict" CHECK ("device"."verdict" in ('trusted', 'untrusted', 'unknown')),
	CONSTRAINT "device_attestation_whole" CHECK (num_nulls("device"."attestation_id", "device"."attested_at", "device"."valid_until", "device"."issuer", "device"."policy_hash", "device"."confirmation_key", "device"."claims", "device"."verdict", "device"."reasons") in (0, 9)),
	CONSTRAINT "device_quarantine_whole" CHECK (num_nulls("device"."quarantined_at", "device"."quarantined_by", "device"."quarantine_reason") in (0, 3))
);
--> statement-breakpoint
CREATE TABLE "device_link" (
	"device_id" text collate "C" PRIMARY KEY NOT NULL,
	"target_id" text collate "C" NOT NULL,
	"linked_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "outbox" (
	"device_id" text collate "C" NOT NULL,
	"event_id" uuid NOT NULL,
	"type" text NOT NULL,
	"payload" jsonb NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"next_attempt_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "outbox_device_id_event_id_pk" PRIMARY KEY("device_id","event_id")
);
--> statement-breakpoint
CREATE TABLE "recent_attestation" (
	"device_id" text collate "C" PRIMARY KEY NOT NULL,
	"attestations" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "refusal" (
	"device_id" text collate "C" NOT NULL,
	"period" timestamp (3) with time zone NOT NULL,
	"slot" smallint NOT NULL,
	"attestation_id" text collate "C" NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"stage" text NOT NULL,
	"reasons" jsonb NOT NULL,
	"claims" jsonb,
	"digests" jsonb NOT NULL,
	"trace" jsonb,
	"issuer" text,
	"policy_hash" text,
	"reference_values_hash" text,
	CONSTRAINT "refusal_device_id_period_slot_pk" PRIMARY KEY("device_id","period","slot")
) PARTITION BY RANGE ("period");
--> statement-breakpoint
CREATE TABLE "sealed_secret" (
	"name" text collate "C" PRIMARY KEY NOT NULL,
	"sealed" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "settled_event" (
	"device_id" text collate "C" NOT NULL,
	"event_id" uuid NOT NULL,
	"settled_at" timestamp (3) with time zone NOT NULL,
	"outcome" text NOT NULL,
	"type" text NOT NULL,
	"payload" jsonb NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"attempts" integer NOT NULL,
	CONSTRAINT "settled_event_device_id_settled_at_event_id_pk" PRIMARY KEY("device_id","settled_at","event_id"),
	CONSTRAINT "settled_event_outcome" CHECK ("settled_event"."outcome" in ('delivered', 'expired'))
) PARTITION BY RANGE ("settled_at");
--> statement-breakpoint
CREATE TABLE "signing_key" (
	"kid" text collate "C" PRIMARY KEY NOT NULL,
	"use" text NOT NULL,
	"generation" integer NOT NULL,
	"algorithm" text NOT NULL,
	"public_jwk" jsonb NOT NULL,
	"certificate" text,
	"sealed_private_key" text,
	"created_at" timestamp (3) with time zone NOT NULL,
	"signs_from" timestamp (3) with time zone NOT NULL,
	"signs_until" timestamp (3) with time zone,
	"accepted_until" timestamp (3) with time zone,
	"retired_at" timestamp (3) with time zone,
	CONSTRAINT "signing_key_generation" UNIQUE("use","generation"),
	CONSTRAINT "signing_key_succeeded_whole" CHECK (num_nulls("signing_key"."signs_until", "signing_key"."accepted_until") in (0, 2)),
	CONSTRAINT "signing_key_accepted_long" CHECK ("signing_key"."signs_until" <= "signing_key"."accepted_until"),
	CONSTRAINT "signing_key_use" CHECK ("signing_key"."use" in ('attestation', 'device-token', 'receipt', 'enrolment'))
);
--> statement-breakpoint
CREATE TABLE "spent_context" (
	"context_id" text collate "C" NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "spent_context_context_id_expires_at_pk" PRIMARY KEY("context_id","expires_at")
) PARTITION BY RANGE ("expires_at");
--> statement-breakpoint
CREATE TABLE "spent_nonce" (
	"device_id" text collate "C" NOT NULL,
	"nonce_id" text collate "C" NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "spent_nonce_device_id_nonce_id_expires_at_pk" PRIMARY KEY("device_id","nonce_id","expires_at")
) PARTITION BY RANGE ("expires_at");
--> statement-breakpoint
CREATE TABLE "active_document" (
	"kind" text PRIMARY KEY NOT NULL,
	"hash" text collate "C" NOT NULL,
	"activated_at" timestamp (3) with time zone NOT NULL,
	"activated_by" text NOT NULL,
	"previous" text collate "C"
);
--> statement-breakpoint
CREATE TABLE "control" (
	"id" smallint PRIMARY KEY NOT NULL,
	"revision" integer NOT NULL,
	CONSTRAINT "control_one_row" CHECK ("control"."id" = 1)
);
--> statement-breakpoint
CREATE TABLE "document" (
	"kind" text NOT NULL,
	"hash" text collate "C" NOT NULL,
	"body" jsonb NOT NULL,
	"parent" text collate "C",
	"author" text NOT NULL,
	"reason" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "document_kind_hash_pk" PRIMARY KEY("kind","hash"),
	CONSTRAINT "document_kind" CHECK ("document"."kind" in ('policy', 'reference-values'))
);
--> statement-breakpoint
CREATE TABLE "hold" (
	"hold_id" text collate "C" PRIMARY KEY NOT NULL,
	"cause_key" text NOT NULL,
	"cause" jsonb NOT NULL,
	"covers" timestamp (3) with time zone NOT NULL,
	"since" timestamp (3) with time zone NOT NULL,
	"until" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"evidence" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "issuer_certificate" (
	"fingerprint" text collate "C" PRIMARY KEY NOT NULL,
	"key_id" text collate "C",
	"name_hash" text collate "C" NOT NULL,
	"certificate" text collate "C" NOT NULL,
	"anchor" text collate "C" NOT NULL,
	"valid_until" timestamp (3) with time zone NOT NULL,
	"kept_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "job_lease" (
	"job" text PRIMARY KEY NOT NULL,
	"holder" text NOT NULL,
	"until" timestamp (3) with time zone NOT NULL,
	"position" text DEFAULT '' NOT NULL
);
--> statement-breakpoint
CREATE TABLE "override" (
	"override_id" text collate "C" PRIMARY KEY NOT NULL,
	"action" text NOT NULL,
	"target_kind" text NOT NULL,
	"target" text NOT NULL,
	"kind" text,
	"hash" text collate "C",
	"reason" text NOT NULL,
	"author" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	CONSTRAINT "override_action" CHECK ("override"."action" in ('pin', 'allow')),
	CONSTRAINT "override_target_kind" CHECK ("override"."target_kind" in ('device', 'label')),
	CONSTRAINT "override_version" CHECK (num_nulls("override"."kind", "override"."hash") = case when "override"."action" = 'pin' then 0 else 2 end)
);
--> statement-breakpoint
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
CREATE TABLE "rollout" (
	"rollout_id" text collate "C" PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"from_hash" text collate "C" NOT NULL,
	"to_hash" text collate "C" NOT NULL,
	"beside_hash" text collate "C",
	"state" text NOT NULL,
	"pass" text NOT NULL,
	"stage" smallint NOT NULL,
	"plan" jsonb NOT NULL,
	"since" timestamp (3) with time zone NOT NULL,
	"health" jsonb,
	"note" text NOT NULL,
	"author" text NOT NULL,
	"reason" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"revision" integer NOT NULL,
	CONSTRAINT "rollout_kind" CHECK ("rollout"."kind" in ('policy', 'reference-values')),
	CONSTRAINT "rollout_state" CHECK ("rollout"."state" in ('running', 'paused', 'halted', 'done', 'reverted')),
	CONSTRAINT "rollout_pass" CHECK ("rollout"."pass" in ('audit', 'enforce'))
);
--> statement-breakpoint
CREATE TABLE "rollout_observation" (
	"rollout_id" text collate "C" NOT NULL,
	"revision" integer NOT NULL,
	"reporter" text NOT NULL,
	"decisions" integer NOT NULL,
	"newly_denied" integer NOT NULL,
	"examples" jsonb NOT NULL,
	"causes" jsonb NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "rollout_observation_rollout_id_revision_reporter_pk" PRIMARY KEY("rollout_id","revision","reporter")
);
--> statement-breakpoint
CREATE TABLE "second_request" (
	"digest" text collate "C" PRIMARY KEY NOT NULL,
	"request" text NOT NULL,
	"requested_by" text NOT NULL,
	"requested_at" timestamp (3) with time zone NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "verifier_observation" (
	"issuer" text NOT NULL,
	"sign" text NOT NULL,
	"reporter" text NOT NULL,
	"failure" text,
	"since" timestamp (3) with time zone NOT NULL,
	"rounds" integer NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "verifier_observation_issuer_sign_reporter_pk" PRIMARY KEY("issuer","sign","reporter"),
	CONSTRAINT "verifier_observation_sign" CHECK ("verifier_observation"."sign" in ('answers', 'believed'))
);
--> statement-breakpoint
CREATE INDEX "attestation_at" ON "attestation" USING brin ("at");--> statement-breakpoint
CREATE INDEX "device_idle" ON "device" USING btree ("seen_on") WHERE "device"."archived_at" is null and "device"."quarantined_at" is null;--> statement-breakpoint
CREATE INDEX "device_archived" ON "device" USING btree ("archived_at") WHERE "device"."archived_at" is not null;--> statement-breakpoint
CREATE INDEX "device_unvouched" ON "device" USING btree ("device_id") WHERE not "device"."vouched" and "device"."seen_on" is not null;--> statement-breakpoint
CREATE INDEX "device_link_target" ON "device_link" USING btree ("target_id");--> statement-breakpoint
CREATE INDEX "outbox_next" ON "outbox" USING btree ("next_attempt_at");--> statement-breakpoint
CREATE INDEX "hold_cause" ON "hold" USING btree ("cause_key","until");--> statement-breakpoint
CREATE UNIQUE INDEX "hold_open" ON "hold" USING btree ("cause_key") WHERE "hold"."ended_at" is null;--> statement-breakpoint
CREATE INDEX "issuer_certificate_key" ON "issuer_certificate" USING btree ("key_id");--> statement-breakpoint
CREATE INDEX "issuer_certificate_name" ON "issuer_certificate" USING btree ("name_hash");--> statement-breakpoint
CREATE INDEX "issuer_certificate_kept" ON "issuer_certificate" USING btree ("kept_at");--> statement-breakpoint
CREATE UNIQUE INDEX "rollout_open" ON "rollout" USING btree ("kind") WHERE "rollout"."state" in ('running', 'paused');