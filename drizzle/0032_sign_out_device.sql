-- Ends every device token of the device, without a word about its trust: it attests and gets another.
-- Any number of times; a device that never attested has none.
CREATE FUNCTION sign_out_device(
  p_device_id text, p_at timestamptz, p_by text, p_reason text, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_generation integer;
BEGIN
  UPDATE device SET generation = generation + 1, updated_at = p_at
  WHERE device_id = p_device_id
  RETURNING generation INTO v_generation;
  IF NOT FOUND THEN RETURN 'device_unknown'; END IF;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES (p_device_id, p_audit_id, p_at, p_by, 'device.signed-out',
    jsonb_build_object('reason', p_reason, 'generation', v_generation));
  RETURN 'applied';
END
$$;
