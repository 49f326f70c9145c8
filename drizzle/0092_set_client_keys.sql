-- Gives a client other keys in place of those that it has; with `p_end_tokens` its access tokens end too.
-- Answers `applied`, `client_unknown`, `client_disabled`, or `client_has_secret`: it has no keys.
CREATE OR REPLACE FUNCTION set_client_keys(
  p_client_id text, p_keys jsonb, p_end_tokens boolean, p_at timestamptz, p_by text, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_keys jsonb;
  v_disabled_at timestamptz;
BEGIN
  SELECT keys, disabled_at INTO v_keys, v_disabled_at
  FROM client WHERE client_id = p_client_id FOR UPDATE;
  IF NOT FOUND THEN RETURN 'client_unknown'; END IF;
  IF v_disabled_at IS NOT NULL THEN RETURN 'client_disabled'; END IF;
  IF v_keys IS NULL THEN RETURN 'client_has_secret'; END IF;
  UPDATE client SET
    keys = p_keys,
    secret_changed_at = p_at,
    secret_used_at = NULL,
    generation = CASE WHEN p_end_tokens THEN generation + 1 ELSE generation END,
    revoked_tokens = CASE WHEN p_end_tokens THEN '{}'::jsonb ELSE revoked_tokens END
  WHERE client_id = p_client_id;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, 'client.keys-changed',
    jsonb_build_object('clientId', p_client_id, 'keys', p_keys, 'tokensEnded', p_end_tokens));
  RETURN 'applied';
END
$$;
