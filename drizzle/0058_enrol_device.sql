-- Puts a known key on the list before its first attestation. `p_folded` has its owner, Entra id, name,
-- serial number and labels as they are searched by. Processes of the version before name neither name nor
-- serial number.
DROP FUNCTION enrol_device(
  text, text, text, integer, text, text, jsonb, jsonb, timestamptz, text, uuid);
--> statement-breakpoint
CREATE FUNCTION enrol_device(
  p_device_id text, p_key_kind text, p_device_key_hash text, p_ring integer, p_owner text,
  p_entra_device_id text, p_labels jsonb, p_folded jsonb, p_at timestamptz, p_by text,
  p_audit_id uuid, p_name text DEFAULT NULL, p_serial text DEFAULT NULL
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_labels text[] := ARRAY(SELECT jsonb_array_elements_text(p_labels));
  v_labels_folded text[] := ARRAY(SELECT jsonb_array_elements_text(p_folded -> 'labels'));
BEGIN
  INSERT INTO device (
    device_id, key_kind, device_key_hash, enrolment, ring, owner, entra_device_id, name, serial, labels,
    owner_folded, entra_device_id_folded, name_folded, serial_folded, labels_folded,
    created_at, updated_at
  ) VALUES (
    p_device_id, p_key_kind, p_device_key_hash, 'admitted', p_ring, p_owner, p_entra_device_id,
    p_name, p_serial, v_labels, p_folded ->> 'owner', p_folded ->> 'entraDeviceId',
    p_folded ->> 'name', p_folded ->> 'serial', v_labels_folded, p_at, p_at
  )
  ON CONFLICT (device_id) DO NOTHING;
  IF NOT FOUND THEN RETURN 'unchanged'; END IF;
  -- Asked for once the row is there, because whoever links this name waits for it.
  IF EXISTS (SELECT FROM device_link WHERE device_id = p_device_id) THEN
    DELETE FROM device WHERE device_id = p_device_id;
    RETURN 'unchanged';
  END IF;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES (p_device_id, p_audit_id, p_at, p_by, 'device.enrolled',
    jsonb_build_object('owner', p_owner, 'entraDeviceId', p_entra_device_id, 'name', p_name,
      'serial', p_serial, 'labels', p_labels));
  RETURN 'applied';
END
$$;
