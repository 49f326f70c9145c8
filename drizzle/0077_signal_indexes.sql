CREATE INDEX IF NOT EXISTS "delivery_due" ON "delivery" USING btree ("stream_id","next_attempt_at") WHERE "delivery"."refused_at" is null;--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "delivery_refused" ON "delivery" USING btree ("stream_id","refused_at") WHERE "delivery"."refused_at" is not null;--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "delivery_event" ON "delivery" USING btree ("device_id","event_id");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "stream_client" ON "stream" USING btree ("client_id");
