-- Adds a program that may call the API, with its audit row. It proves itself by a secret, which comes in
-- hashed and may have an end, or by keys (`ClientKeys`), and not by both.
DROP FUNCTION create_client(text, text, text, jsonb, timestamptz, text, uuid, jsonb);
--> statement-breakpoint
CREATE OR REPLACE FUNCTION create_client(
  p_client_id text, p_name text, p_secret_hash text, p_scopes jsonb, p_at timestamptz, p_by text,
  p_audit_id uuid, p_keys jsonb DEFAULT NULL, p_secret_expires_at timestamptz DEFAULT NULL
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_scopes text[] := ARRAY(SELECT jsonb_array_elements_text(p_scopes));
BEGIN
  INSERT INTO client (client_id, name, secret_hash, keys, scopes, created_at, secret_expires_at)
  VALUES (p_client_id, p_name, p_secret_hash, p_keys, v_scopes, p_at, p_secret_expires_at);
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, 'client.created',
    jsonb_build_object('clientId', p_client_id, 'name', p_name, 'scopes', p_scopes)
      || CASE WHEN p_keys IS NULL THEN '{}'::jsonb ELSE jsonb_build_object('keys', p_keys) END
      || CASE WHEN p_secret_expires_at IS NULL THEN '{}'::jsonb
         ELSE jsonb_build_object('secretExpiresAt', iso_time(p_secret_expires_at)) END);
  RETURN 'applied';
END
$$;
