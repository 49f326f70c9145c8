-- `p_changes` holds any of `owner`, `entraDeviceId` and `labels`; what it lacks stays as it is.
-- `p_folded` holds the same members as they are searched by.
CREATE FUNCTION set_device_attributes(
  p_device_id text, p_changes jsonb, p_folded jsonb, p_at timestamptz, p_by text, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  d device%ROWTYPE;
  v_owner text;
  v_entra_device_id text;
  v_labels text[];
BEGIN
  SELECT * INTO d FROM device WHERE device_id = p_device_id FOR UPDATE;
  IF NOT FOUND THEN RETURN 'device_unknown'; END IF;

  v_owner := CASE WHEN p_changes ? 'owner' THEN p_changes ->> 'owner' ELSE d.owner END;
  v_entra_device_id := CASE
    WHEN p_changes ? 'entraDeviceId' THEN p_changes ->> 'entraDeviceId'
    ELSE d.entra_device_id
  END;
  v_labels := CASE
    WHEN p_changes ? 'labels' THEN ARRAY(SELECT jsonb_array_elements_text(p_changes -> 'labels'))
    ELSE d.labels
  END;
  IF v_owner IS NOT DISTINCT FROM d.owner
    AND v_entra_device_id IS NOT DISTINCT FROM d.entra_device_id
    AND v_labels = d.labels
  THEN
    RETURN 'unchanged';
  END IF;

  UPDATE device
  SET owner = v_owner, entra_device_id = v_entra_device_id, labels = v_labels,
    owner_folded = CASE
      WHEN p_folded ? 'owner' THEN p_folded ->> 'owner' ELSE d.owner_folded
    END,
    entra_device_id_folded = CASE
      WHEN p_folded ? 'entraDeviceId' THEN p_folded ->> 'entraDeviceId'
      ELSE d.entra_device_id_folded
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
      'entraDeviceId', d.entra_device_id, 'labels', to_jsonb(d.labels)), 'changes', p_changes));
  RETURN 'applied';
END
$$;
