-- Begins the session of a person who signed in, in the place of the one that the same browser had, with its
-- audit row. `repeated`: there was one of that name, so that what the person came with was used before.
CREATE OR REPLACE FUNCTION begin_person_session(
  p_session_id text, p_expires_at timestamptz, p_person_id text, p_name text, p_roles jsonb,
  p_browser_hash text, p_address text, p_replaces_id text, p_replaces_expires_at timestamptz,
  p_at timestamptz, p_detail jsonb, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_roles text[] := ARRAY(SELECT jsonb_array_elements_text(p_roles));
BEGIN
  INSERT INTO person_session (session_id, expires_at, person_id, name, roles, browser_hash, address,
    began_at, roles_at)
  VALUES (p_session_id, p_expires_at, p_person_id, p_name, v_roles, p_browser_hash, p_address, p_at, p_at)
  ON CONFLICT (session_id, expires_at) DO NOTHING;
  IF NOT FOUND THEN RETURN 'repeated'; END IF;
  UPDATE person_session SET ended_at = p_at
  WHERE session_id = p_replaces_id AND expires_at = p_replaces_expires_at AND ended_at IS NULL;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_person_id, 'person.signed-in',
    p_detail || jsonb_build_object('session', p_session_id, 'name', p_name, 'roles', p_roles));
  RETURN 'applied';
END
$$;
