-- Writes an entry of the audit log for what changes nothing else: a sign-in, or the use of a break-glass token.
CREATE FUNCTION note_audit(
  p_device_id text, p_at timestamptz, p_by text, p_action text, p_detail jsonb, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES (p_device_id, p_audit_id, p_at, p_by, p_action, p_detail);
  RETURN 'applied';
END
$$;
