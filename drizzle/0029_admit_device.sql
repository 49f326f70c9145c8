-- Others hear of an admission at once when it makes the device compliant; anything else that it comes
-- to, the sweep tells.
CREATE FUNCTION admit_device(
  p_device_id text, p_at timestamptz, p_by text, p_reason text, p_audit_id uuid, p_event_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  d device%ROWTYPE;
  v_is_trusted boolean;
BEGIN
  SELECT * INTO d FROM device WHERE device_id = p_device_id FOR UPDATE;
  IF NOT FOUND THEN RETURN 'device_unknown'; END IF;
  IF d.enrolment = 'admitted' THEN RETURN 'unchanged'; END IF;

  v_is_trusted :=
    effective_verdict(d.verdict, d.valid_until, d.quarantined_at, p_at) = 'trusted';
  UPDATE device
  SET enrolment = 'admitted', updated_at = p_at,
    announced_verdict = CASE WHEN v_is_trusted THEN 'trusted' ELSE announced_verdict END
  WHERE device_id = p_device_id;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES (p_device_id, p_audit_id, p_at, p_by, 'device.admitted',
    jsonb_build_object('reason', p_reason));
  IF v_is_trusted THEN
    PERFORM announce_change(p_device_id, p_event_id, p_at, 'administrator', d.enrolment, 'admitted',
      d.announced_verdict, 'trusted', d.reasons, d.attestation_id);
  END IF;
  RETURN 'applied';
END
$$;
