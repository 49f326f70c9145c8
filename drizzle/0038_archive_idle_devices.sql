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
