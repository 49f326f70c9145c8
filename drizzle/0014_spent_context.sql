-- Service contexts of the built-in verifier that a message has used up, until they would have expired
-- anyway. An initial message names no device, so a row is found by the context alone: its key is what
-- a distributed database distributes it by, and each statement touches one row.
CREATE TABLE "spent_context" (
	"context_id" text collate "C" PRIMARY KEY NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE INDEX "spent_context_expires_at" ON "spent_context" USING btree ("expires_at");
--> statement-breakpoint
ALTER TABLE "spent_context" SET (autovacuum_vacuum_scale_factor = 0.05);
