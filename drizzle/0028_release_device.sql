-- Ends the quarantine of a device. Answers as `quarantine_device` does.
CREATE FUNCTION release_device(
  p_device_id text, p_at timestamptz, p_by text, p_reason text, p_audit_id uuid, p_event_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  d device%ROWTYPE;
  v_verdict text;
BEGIN
  SELECT * INTO d FROM device WHERE device_id = p_device_id FOR UPDATE;
  IF NOT FOUND THEN RETURN 'device_unknown'; END IF;
  IF d.quarantined_at IS NULL THEN RETURN 'unchanged'; END IF;

  v_verdict := CASE
    WHEN d.enrolment <> 'admitted' THEN 'unknown'
    ELSE effective_verdict(d.verdict, d.valid_until, NULL, p_at)
  END;
  UPDATE device
  SET quarantined_at = NULL, quarantined_by = NULL, quarantine_reason = NULL,
    announced_verdict = v_verdict, generation = generation + 1, updated_at = p_at
  WHERE device_id = p_device_id;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES (p_device_id, p_audit_id, p_at, p_by, 'device.released',
    jsonb_build_object('reason', p_reason));
  PERFORM announce_change(p_device_id, p_event_id, p_at, 'administrator', d.enrolment, d.enrolment,
    d.announced_verdict, v_verdict, d.reasons, d.attestation_id);
  RETURN 'applied';
END
$$;
