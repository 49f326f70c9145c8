-- Adds a program that may call the API, with its audit row. The secret comes in hashed.
CREATE FUNCTION create_client(
  p_client_id text, p_name text, p_secret_hash text, p_scopes jsonb, p_at timestamptz, p_by text,
  p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_scopes text[] := ARRAY(SELECT jsonb_array_elements_text(p_scopes));
BEGIN
  INSERT INTO client (client_id, name, secret_hash, scopes, created_at)
  VALUES (p_client_id, p_name, p_secret_hash, v_scopes, p_at);
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, 'client.created',
    jsonb_build_object('clientId', p_client_id, 'name', p_name, 'scopes', p_scopes));
  RETURN 'applied';
END
$$;
