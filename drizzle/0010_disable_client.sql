-- Ends the access of a client. Answers `applied`, `unchanged` (it was disabled) or `client_unknown`.
CREATE FUNCTION disable_client(
  p_client_id text, p_at timestamptz, p_by text, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  UPDATE client SET disabled_at = p_at WHERE client_id = p_client_id AND disabled_at IS NULL;
  IF NOT FOUND THEN
    RETURN CASE
      WHEN EXISTS (SELECT FROM client WHERE client_id = p_client_id) THEN 'unchanged'
      ELSE 'client_unknown'
    END;
  END IF;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, 'client.disabled',
    jsonb_build_object('clientId', p_client_id));
  RETURN 'applied';
END
$$;
