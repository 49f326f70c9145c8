-- Ends all sessions of a person that count, with one audit row where there were any. Answers how many.
CREATE OR REPLACE FUNCTION end_person_sessions(
  p_person_id text, p_by text, p_reason text, p_at timestamptz, p_audit_id uuid
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  v_ended integer;
BEGIN
  UPDATE person_session SET ended_at = p_at
  WHERE person_id = p_person_id AND expires_at > p_at AND ended_at IS NULL;
  GET DIAGNOSTICS v_ended = ROW_COUNT;
  IF v_ended = 0 THEN RETURN 0; END IF;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, 'person.sessions-ended',
    jsonb_build_object('person', p_person_id, 'sessions', v_ended, 'reason', p_reason));
  RETURN v_ended;
END
$$;
