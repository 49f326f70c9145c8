-- Notes the roles that the issuer gives the person of a session now; an audit row says so where they are others
-- than before. `ended`: the session counts no more.
CREATE OR REPLACE FUNCTION renew_person_roles(
  p_session_id text, p_expires_at timestamptz, p_roles jsonb, p_at timestamptz, p_detail jsonb,
  p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_roles text[] := ARRAY(SELECT jsonb_array_elements_text(p_roles));
  v_person_id text;
  v_before text[];
BEGIN
  SELECT person_id, roles INTO v_person_id, v_before FROM person_session
  WHERE session_id = p_session_id AND expires_at = p_expires_at AND ended_at IS NULL
  FOR UPDATE;
  IF NOT FOUND THEN RETURN 'ended'; END IF;
  UPDATE person_session SET roles = v_roles, roles_at = p_at
  WHERE session_id = p_session_id AND expires_at = p_expires_at;
  IF v_before IS DISTINCT FROM v_roles THEN
    INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
    VALUES ('service', p_audit_id, p_at, v_person_id, 'person.roles-changed',
      p_detail || jsonb_build_object('session', p_session_id, 'before', to_jsonb(v_before),
        'roles', p_roles));
  END IF;
  RETURN 'applied';
END
$$;
