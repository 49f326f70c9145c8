ALTER TABLE "device" ADD COLUMN "seen_on" date;--> statement-breakpoint
ALTER TABLE "device" ADD COLUMN "archived_at" timestamp (3) with time zone;--> statement-breakpoint
UPDATE device SET seen_on = (attested_at AT TIME ZONE 'UTC')::date WHERE attested_at IS NOT NULL;
--> statement-breakpoint
-- By the day, not by the moment: an attestation on the same day then changes no indexed column.
CREATE INDEX "device_idle" ON "device" USING btree ("seen_on") WHERE "device"."archived_at" is null and "device"."quarantined_at" is null;--> statement-breakpoint
CREATE INDEX "device_archived" ON "device" USING btree ("archived_at") WHERE "device"."archived_at" is not null;--> statement-breakpoint
CREATE INDEX "device_unvouched" ON "device" USING btree ("device_id") WHERE not "device"."vouched" and "device"."seen_on" is not null;
--> statement-breakpoint
-- Archives devices that were seen last before a day, and whose evidence ended with it, in a batch of as
-- many as there are ids for audit rows. What is archived comes back with its next attestation. Never one
-- that is quarantined: a stolen device stays known. Any number may run at once, each takes others.
CREATE FUNCTION archive_idle_devices(p_before date, p_at timestamptz, p_by text, p_audit_ids jsonb)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  v_archived integer;
BEGIN
  WITH idle AS MATERIALIZED (
    SELECT device_id FROM device
    WHERE seen_on < p_before AND archived_at IS NULL AND quarantined_at IS NULL
      AND valid_until <= p_at
    ORDER BY seen_on
    LIMIT jsonb_array_length(p_audit_ids)
    FOR UPDATE SKIP LOCKED
  ), archived AS (
    UPDATE device d SET archived_at = p_at, updated_at = p_at
    FROM idle WHERE d.device_id = idle.device_id
    RETURNING d.device_id, d.seen_on
  ), numbered AS (
    SELECT device_id, seen_on, row_number() OVER (ORDER BY device_id) AS n FROM archived
  )
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  SELECT device_id, (p_audit_ids ->> (n - 1)::integer)::uuid, p_at, p_by, 'device.archived',
    jsonb_build_object('seenOn', seen_on)
  FROM numbered;
  GET DIAGNOSTICS v_archived = ROW_COUNT;
  RETURN v_archived;
END
$$;
--> statement-breakpoint
-- Removes devices that were archived before a time, with their history, names and spent nonces; the
-- audit rows stay, and one says so. Of a long history a part goes first and the device in a later call,
-- so that none runs long. A device that was quarantined in the archive stays. Answers how many devices
-- were looked at: none are left when it is 0.
CREATE FUNCTION remove_archived_devices(
  p_before timestamptz, p_at timestamptz, p_by text, p_rows integer, p_audit_ids jsonb
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  d record;
  v_seen integer := 0;
BEGIN
  FOR d IN
    SELECT device_id, owner, labels, seen_on, archived_at FROM device
    WHERE archived_at < p_before AND quarantined_at IS NULL
    ORDER BY archived_at
    LIMIT jsonb_array_length(p_audit_ids)
    FOR UPDATE SKIP LOCKED
  LOOP
    v_seen := v_seen + 1;
    DELETE FROM attestation a
    WHERE a.device_id = d.device_id AND a.attestation_id IN (
      SELECT x.attestation_id FROM attestation x WHERE x.device_id = d.device_id LIMIT p_rows);
    CONTINUE WHEN EXISTS (SELECT FROM attestation x WHERE x.device_id = d.device_id);
    DELETE FROM spent_nonce s WHERE s.device_id = d.device_id;
    DELETE FROM device_link l WHERE l.target_id = d.device_id;
    DELETE FROM device x WHERE x.device_id = d.device_id;
    INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
    VALUES (d.device_id, (p_audit_ids ->> (v_seen - 1))::uuid, p_at, p_by, 'device.removed',
      jsonb_build_object('seenOn', d.seen_on, 'archivedAt', iso_time(d.archived_at),
        'owner', d.owner, 'labels', to_jsonb(d.labels)));
  END LOOP;
  RETURN v_seen;
END
$$;
