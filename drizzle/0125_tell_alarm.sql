-- Writes down what an alarm became, and puts it into the outbox for each destination that wants to hear of it: each
-- has its own lane, named after its stream.
CREATE FUNCTION tell_alarm(
  p_alarm alarm, p_state text, p_event_id uuid, p_audit_id uuid, p_by text, p_at timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_stream_id text;
  v_payload jsonb := jsonb_build_object(
    'name', (p_alarm).name, 'subject', (p_alarm).subject, 'state', p_state,
    'level', (p_alarm).level, 'since', iso_time((p_alarm).since), 'at', iso_time(p_at),
    'detail', (p_alarm).detail);
BEGIN
  FOR v_stream_id IN
    SELECT stream_id FROM stream
    WHERE webhook_url IS NOT NULL AND status <> 'disabled'
      AND (events_requested = '{}' OR (p_alarm).name = ANY(events_requested))
    ORDER BY stream_id COLLATE "C"
  LOOP
    INSERT INTO outbox (device_id, event_id, type, payload, created_at, next_attempt_at)
    VALUES (v_stream_id, p_event_id, 'alarm', v_payload, p_at, p_at);
    INSERT INTO delivery (device_id, stream_id, event_id, created_at, next_attempt_at)
    VALUES (v_stream_id, v_stream_id, p_event_id, p_at, p_at);
    PERFORM pg_notify('countersign_signals', '');
  END LOOP;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, 'alarm.' || p_state,
    jsonb_build_object('alarm', (p_alarm).name, 'subject', (p_alarm).subject,
      'level', (p_alarm).level, 'detail', (p_alarm).detail));
END
$$;
