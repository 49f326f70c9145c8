-- Ends one session of a person, who asked for it, with its audit row. `unchanged`: it counted no more.
CREATE OR REPLACE FUNCTION end_person_session(
  p_session_id text, p_expires_at timestamptz, p_at timestamptz, p_detail jsonb, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_person_id text;
BEGIN
  UPDATE person_session SET ended_at = p_at
  WHERE session_id = p_session_id AND expires_at = p_expires_at AND ended_at IS NULL
  RETURNING person_id INTO v_person_id;
  IF NOT FOUND THEN RETURN 'unchanged'; END IF;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, v_person_id, 'person.signed-out',
    p_detail || jsonb_build_object('session', p_session_id));
  RETURN 'applied';
END
$$;
