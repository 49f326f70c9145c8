-- Notes a dangerous request, or lets it pass if another administrator asked for the same before. What
-- one of them asked for twice stays one request. `p_body` is kept, for whoever approves of it to look at and to have
-- carried out. Without `p_may_second` it is no second one, and without `p_may_ask` no first one: `nothing_waits`.
DROP FUNCTION ask_second_administrator(text, text, text, timestamptz, timestamptz, uuid, uuid);
--> statement-breakpoint
CREATE OR REPLACE FUNCTION ask_second_administrator(
  p_digest text, p_request text, p_by text, p_at timestamptz, p_expires_at timestamptz,
  p_audit_id uuid, p_event_id uuid, p_body text DEFAULT NULL, p_may_ask boolean DEFAULT true,
  p_may_second boolean DEFAULT true
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_first text;
BEGIN
  DELETE FROM second_request WHERE expires_at <= p_at;
  LOOP
    IF p_may_second THEN
      DELETE FROM second_request WHERE digest = p_digest AND requested_by <> p_by
      RETURNING requested_by INTO v_first;
      IF FOUND THEN
        INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
        VALUES ('service', p_audit_id, p_at, p_by, 'request.seconded',
          jsonb_build_object('request', p_request, 'requestedBy', v_first));
        RETURN 'seconded';
      END IF;
    END IF;
    IF NOT p_may_ask THEN RETURN 'nothing_waits'; END IF;
    INSERT INTO second_request (digest, request, requested_by, requested_at, expires_at, body)
    VALUES (p_digest, p_request, p_by, p_at, p_expires_at, p_body)
    ON CONFLICT (digest) DO NOTHING;
    EXIT WHEN FOUND;
    PERFORM FROM second_request
    WHERE digest = p_digest AND (requested_by = p_by OR NOT p_may_second);
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
