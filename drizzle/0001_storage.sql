-- What no table definition of Drizzle can say, and the one row that is always there.

-- Attestations rewrite these rows of a device all the time and change no indexed column: with room on
-- the page the new version stays there and no index is touched.
ALTER TABLE "device" SET (fillfactor = 80);
--> statement-breakpoint
ALTER TABLE "recent_attestation" SET (fillfactor = 80);
--> statement-breakpoint
-- Rows for which nobody made a partition in time: a missing one is an alarm and never a refusal.
CREATE TABLE "attestation_default" PARTITION OF "attestation" DEFAULT;
--> statement-breakpoint
CREATE TABLE "refusal_default" PARTITION OF "refusal" DEFAULT;
--> statement-breakpoint
CREATE TABLE "audit_default" PARTITION OF "audit" DEFAULT;
--> statement-breakpoint
CREATE TABLE "settled_event_default" PARTITION OF "settled_event" DEFAULT;
--> statement-breakpoint
CREATE TABLE "spent_nonce_default" PARTITION OF "spent_nonce" DEFAULT;
--> statement-breakpoint
CREATE TABLE "spent_context_default" PARTITION OF "spent_context" DEFAULT;
--> statement-breakpoint
INSERT INTO control (id, revision) VALUES (1, 1);
