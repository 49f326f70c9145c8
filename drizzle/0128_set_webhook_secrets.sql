-- Gives a destination of alarms other secrets, sealed as they come, if it is as it was at `p_revision`. Answers
-- `applied`, `superseded` or `stream_unknown`. With `p_is_rotation` another secret signs from now on; else the same
-- ones were sealed anew, which is no news to anybody.
CREATE FUNCTION set_webhook_secrets(
  p_stream_id text, p_revision integer, p_sealed_secrets text, p_is_rotation boolean,
  p_at timestamptz, p_by text, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_revision integer;
BEGIN
  SELECT revision INTO v_revision FROM stream
  WHERE stream_id = p_stream_id AND webhook_url IS NOT NULL FOR UPDATE;
  IF NOT FOUND THEN RETURN 'stream_unknown'; END IF;
  IF v_revision <> p_revision THEN RETURN 'superseded'; END IF;
  UPDATE stream SET sealed_secrets = p_sealed_secrets, revision = revision + 1
  WHERE stream_id = p_stream_id;
  IF p_is_rotation THEN
    INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
    VALUES ('service', p_audit_id, p_at, p_by, 'webhook.secret-rotated',
      jsonb_build_object('streamId', p_stream_id));
  END IF;
  RETURN 'applied';
END
$$;
