CREATE INDEX IF NOT EXISTS "device_by_ring" ON "device" USING btree ("ring","device_id");
