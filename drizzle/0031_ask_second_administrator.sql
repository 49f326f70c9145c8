-- Notes a dangerous request, or lets it pass if another administrator asked for the same before. What
-- one of them asked for twice stays one request.
CREATE FUNCTION ask_second_administrator(
  p_digest text, p_request text, p_by text, p_at timestamptz, p_expires_at timestamptz,
  p_audit_id uuid, p_event_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_first text;
BEGIN
  DELETE FROM second_request WHERE expires_at <= p_at;
  LOOP
    DELETE FROM second_request WHERE digest = p_digest AND requested_by <> p_by
    RETURNING requested_by INTO v_first;
    IF FOUND THEN
      INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
      VALUES ('service', p_audit_id, p_at, p_by, 'request.seconded',
        jsonb_build_object('request', p_request, 'requestedBy', v_first));
      RETURN 'seconded';
    END IF;
    INSERT INTO second_request (digest, request, requested_by, requested_at, expires_at)
    VALUES (p_digest, p_request, p_by, p_at, p_expires_at)
    ON CONFLICT (digest) DO NOTHING;
    EXIT WHEN FOUND;
    PERFORM FROM second_request WHERE digest = p_digest AND requested_by = p_by;
    IF FOUND THEN RETURN 'waiting'; END IF;
    -- Of two who ask at the same moment, the later one finds the other's in the next round.
  END LOOP;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, 'request.waits-for-second',
    jsonb_build_object('request', p_request, 'expiresAt', iso_time(p_expires_at)));
  INSERT INTO outbox (device_id, event_id, type, payload, created_at, next_attempt_at)
  VALUES ('service', p_event_id, 'second-administrator-needed',
    jsonb_build_object('at', iso_time(p_at), 'request', p_request, 'requestedBy', p_by,
      'expiresAt', iso_time(p_expires_at)), p_at, p_at);
  RETURN 'waiting';
END
$$;
