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
