-- Makes a destination of alarms: a stream of no events about devices, which nobody manages over HTTP. Answers
-- `applied`, or `too_many_streams`: there are `p_most` of them already.
CREATE FUNCTION create_webhook(
  p_stream_id text, p_url text, p_sealed_secrets text, p_alarms jsonb, p_description text,
  p_most integer, p_at timestamptz, p_by text, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_alarms text[] := ARRAY(SELECT jsonb_array_elements_text(p_alarms));
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('streams of webhooks', 0));
  IF (SELECT count(*) FROM stream WHERE webhook_url IS NOT NULL) >= p_most THEN
    RETURN 'too_many_streams';
  END IF;
  INSERT INTO stream (stream_id, client_id, audience, webhook_url, sealed_secrets, events_requested,
    events_delivered, description, subject_form, status, created_at)
  VALUES (p_stream_id, 'webhook/' || p_stream_id, p_url, p_url, p_sealed_secrets, v_alarms,
    '{}', p_description, 'device', 'enabled', p_at);
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, 'webhook.created',
    jsonb_build_object('streamId', p_stream_id, 'url', p_url, 'alarms', p_alarms));
  RETURN 'applied';
END
$$;
