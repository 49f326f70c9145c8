-- `p_changes` holds any of `owner`, `entraDeviceId`, `name`, `serial` and `labels`; what it lacks stays as it
-- is. `p_folded` holds the same members as they are searched by. With `labelsBefore` it is `superseded`, and
-- nothing is written, unless these are the labels of the device still.
CREATE OR REPLACE FUNCTION set_device_attributes(
  p_device_id text, p_changes jsonb, p_folded jsonb, p_at timestamptz, p_by text, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  d device%ROWTYPE;
  v_owner text;
  v_entra_device_id text;
  v_name text;
  v_serial text;
  v_labels text[];
BEGIN
  SELECT * INTO d FROM device WHERE device_id = p_device_id FOR UPDATE;
  IF NOT FOUND THEN RETURN 'device_unknown'; END IF;
  IF p_changes ? 'labelsBefore' AND to_jsonb(d.labels) <> p_changes -> 'labelsBefore' THEN
    RETURN 'superseded';
  END IF;

  v_owner := CASE WHEN p_changes ? 'owner' THEN p_changes ->> 'owner' ELSE d.owner END;
  v_entra_device_id := CASE
    WHEN p_changes ? 'entraDeviceId' THEN p_changes ->> 'entraDeviceId'
    ELSE d.entra_device_id
  END;
  v_name := CASE WHEN p_changes ? 'name' THEN p_changes ->> 'name' ELSE d.name END;
  v_serial := CASE WHEN p_changes ? 'serial' THEN p_changes ->> 'serial' ELSE d.serial END;
  v_labels := CASE
    WHEN p_changes ? 'labels' THEN ARRAY(SELECT jsonb_array_elements_text(p_changes -> 'labels'))
    ELSE d.labels
  END;
  IF v_owner IS NOT DISTINCT FROM d.owner
    AND v_entra_device_id IS NOT DISTINCT FROM d.entra_device_id
    AND v_name IS NOT DISTINCT FROM d.name AND v_serial IS NOT DISTINCT FROM d.serial
    AND v_labels = d.labels
  THEN
    RETURN 'unchanged';
  END IF;

  UPDATE device
  SET owner = v_owner, entra_device_id = v_entra_device_id, name = v_name, serial = v_serial,
    labels = v_labels,
    owner_folded = CASE
      WHEN p_folded ? 'owner' THEN p_folded ->> 'owner' ELSE d.owner_folded
    END,
    entra_device_id_folded = CASE
      WHEN p_folded ? 'entraDeviceId' THEN p_folded ->> 'entraDeviceId'
      ELSE d.entra_device_id_folded
    END,
    name_folded = CASE WHEN p_folded ? 'name' THEN p_folded ->> 'name' ELSE d.name_folded END,
    serial_folded = CASE
      WHEN p_folded ? 'serial' THEN p_folded ->> 'serial' ELSE d.serial_folded
    END,
    labels_folded = CASE
      WHEN p_folded ? 'labels' THEN ARRAY(SELECT jsonb_array_elements_text(p_folded -> 'labels'))
      ELSE d.labels_folded
    END,
    updated_at = p_at
  WHERE device_id = p_device_id;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES (p_device_id, p_audit_id, p_at, p_by, 'device.attributes-set',
    jsonb_build_object('before', jsonb_build_object('owner', d.owner,
      'entraDeviceId', d.entra_device_id, 'name', d.name, 'serial', d.serial,
      'labels', to_jsonb(d.labels)), 'changes', p_changes - 'labelsBefore'));
  RETURN 'applied';
END
$$;
