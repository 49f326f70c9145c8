-- Archives devices that were seen last before a day, and whose evidence ended with it, in a batch of as
-- many as there are ids for audit rows. What is archived comes back with its next attestation. Never one
-- that is quarantined: a stolen device stays known. Any number may run at once, and each device is archived once.
CREATE FUNCTION archive_idle_devices(p_before date, p_at timestamptz, p_by text, p_audit_ids jsonb)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  v_archived integer := 0;
  v_device_id text;
  v_seen_on date;
BEGIN
  -- In the order of ids, so that two of these never wait for each other in a circle.
  FOR v_device_id IN
    SELECT device_id FROM (
      SELECT device_id FROM device
      WHERE seen_on < p_before AND archived_at IS NULL AND quarantined_at IS NULL
        AND valid_until <= p_at
      ORDER BY seen_on LIMIT jsonb_array_length(p_audit_ids)
    ) AS idle ORDER BY device_id
  LOOP
    UPDATE device SET archived_at = p_at, updated_at = p_at
    WHERE device_id = v_device_id AND seen_on < p_before AND archived_at IS NULL
      AND quarantined_at IS NULL AND valid_until <= p_at
    RETURNING seen_on INTO v_seen_on;
    CONTINUE WHEN NOT FOUND;
    INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
    VALUES (v_device_id, (p_audit_ids ->> v_archived)::uuid, p_at, p_by, 'device.archived',
      jsonb_build_object('seenOn', v_seen_on));
    v_archived := v_archived + 1;
  END LOOP;
  RETURN v_archived;
END
$$;
