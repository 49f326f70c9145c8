-- Each change by an administrator answers `applied`, `unchanged` (it already was so; nothing is
-- written) or `device_unknown`. A quarantine and its end both raise the generation: device tokens of
-- before do not count after.
CREATE FUNCTION quarantine_device(
  p_device_id text, p_at timestamptz, p_by text, p_reason text, p_audit_id uuid, p_event_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  d device%ROWTYPE;
BEGIN
  SELECT * INTO d FROM device WHERE device_id = p_device_id FOR UPDATE;
  IF NOT FOUND THEN RETURN 'device_unknown'; END IF;
  IF d.quarantined_at IS NOT NULL THEN RETURN 'unchanged'; END IF;

  UPDATE device
  SET quarantined_at = p_at, quarantined_by = p_by, quarantine_reason = p_reason,
    announced_verdict = 'quarantined', generation = generation + 1, updated_at = p_at
  WHERE device_id = p_device_id;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES (p_device_id, p_audit_id, p_at, p_by, 'device.quarantined',
    jsonb_build_object('reason', p_reason));
  PERFORM announce_change(p_device_id, p_event_id, p_at, 'administrator', d.enrolment, d.enrolment,
    d.announced_verdict, 'quarantined', '[]', d.attestation_id);
  RETURN 'applied';
END
$$;
