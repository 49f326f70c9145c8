-- Removes devices that were archived before a time, with their names; of each an audit row tells, and its
-- history goes with the partitions that hold it. A device that was quarantined in the archive stays.
-- Answers how many devices were looked at: none are left when it is 0.
CREATE FUNCTION remove_archived_devices(
  p_before timestamptz, p_at timestamptz, p_by text, p_audit_ids jsonb
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  v_seen integer := 0;
  v_device_id text;
  d device%ROWTYPE;
BEGIN
  -- In the order of ids, so that two of these never wait for each other in a circle.
  FOR v_device_id IN
    SELECT device_id FROM (
      SELECT device_id FROM device WHERE archived_at < p_before AND quarantined_at IS NULL
      ORDER BY archived_at LIMIT jsonb_array_length(p_audit_ids)
    ) AS oldest ORDER BY device_id
  LOOP
    v_seen := v_seen + 1;
    DELETE FROM device
    WHERE device_id = v_device_id AND archived_at < p_before AND quarantined_at IS NULL
    RETURNING * INTO d;
    CONTINUE WHEN NOT FOUND;
    DELETE FROM recent_attestation WHERE device_id = v_device_id;
    DELETE FROM device_link WHERE target_id = v_device_id;
    INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
    VALUES (v_device_id, (p_audit_ids ->> (v_seen - 1))::uuid, p_at, p_by, 'device.removed',
      jsonb_build_object('seenOn', d.seen_on, 'archivedAt', iso_time(d.archived_at),
        'owner', d.owner, 'labels', to_jsonb(d.labels)));
  END LOOP;
  RETURN v_seen;
END
$$;
