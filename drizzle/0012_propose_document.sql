-- Keeps a document that is not in force yet, with its audit row. 'unchanged' if it is there already.
CREATE FUNCTION propose_document(
  p_kind text, p_hash text, p_body jsonb, p_author text, p_reason text, p_at timestamptz,
  p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_parent text;
BEGIN
  SELECT hash INTO v_parent FROM active_document WHERE kind = p_kind;
  INSERT INTO document (kind, hash, body, parent, author, reason, created_at)
  VALUES (p_kind, p_hash, p_body, v_parent, p_author, p_reason, p_at)
  ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN 'unchanged'; END IF;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_author, 'document.proposed',
    jsonb_build_object('kind', p_kind, 'hash', p_hash, 'reason', p_reason));
  RETURN 'applied';
END
$$;
