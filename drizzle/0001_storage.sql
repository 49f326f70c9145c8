-- What no table definition of Drizzle can say, and the one row that is always there.

-- Attestations rewrite the row of a device all the time and change no indexed column: with room on
-- the page the new version stays there and no index is touched.
ALTER TABLE "device" SET (fillfactor = 80);
--> statement-breakpoint
ALTER TABLE "spent_nonce" SET (autovacuum_vacuum_scale_factor = 0.05);
--> statement-breakpoint
ALTER TABLE "spent_context" SET (autovacuum_vacuum_scale_factor = 0.05);
--> statement-breakpoint
INSERT INTO control (id, revision) VALUES (1, 1);
