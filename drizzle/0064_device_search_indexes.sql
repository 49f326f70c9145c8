CREATE INDEX IF NOT EXISTS "audit_at" ON "audit" USING btree ("at","audit_id");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "audit_actor" ON "audit" USING btree ("actor","at","audit_id");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "audit_action" ON "audit" USING btree ("action","at","audit_id");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "device_found" ON "device" USING gin ("labels_folded","unmet");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "device_announced" ON "device" USING btree ("announced_verdict","device_id");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "device_issuer" ON "device" USING btree ("issuer","device_id");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "device_owner" ON "device" USING btree ("owner_folded" text_pattern_ops) WHERE "device"."owner_folded" is not null;--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "device_name" ON "device" USING btree ("name_folded" text_pattern_ops) WHERE "device"."name_folded" is not null;--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "device_entra" ON "device" USING btree ("entra_device_id_folded" text_pattern_ops) WHERE "device"."entra_device_id_folded" is not null;--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "device_serial" ON "device" USING btree ("serial_folded" text_pattern_ops) WHERE "device"."serial_folded" is not null;--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "device_seen" ON "device" USING btree ("seen_on");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "device_pending" ON "device" USING btree ("device_id") WHERE "device"."enrolment" = 'pending';--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "refusal_at" ON "refusal" USING btree ("at","attestation_id");