-- Puts an event about a stream itself into the outbox, for that stream alone: it has its own lane, named after
-- the stream. A verification is asked for by a receiver, once in `p_interval_ms`. Answers `applied`,
-- `stream_unknown`, or `too_soon`.
CREATE FUNCTION announce_to_stream(
  p_stream_id text, p_client_id text, p_event_id uuid, p_type text, p_payload jsonb,
  p_interval_ms integer, p_at timestamptz
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_last timestamptz;
BEGIN
  SELECT verification_at INTO v_last FROM stream
  WHERE stream_id = p_stream_id AND (p_client_id IS NULL OR client_id = p_client_id) FOR UPDATE;
  IF NOT FOUND THEN RETURN 'stream_unknown'; END IF;
  IF p_interval_ms > 0 THEN
    IF v_last > p_at - p_interval_ms * interval '1 millisecond' THEN RETURN 'too_soon'; END IF;
    UPDATE stream SET verification_at = p_at WHERE stream_id = p_stream_id;
  END IF;
  INSERT INTO outbox (device_id, event_id, type, payload, created_at, next_attempt_at)
  VALUES (p_stream_id, p_event_id, p_type, p_payload, p_at, p_at);
  INSERT INTO delivery (device_id, stream_id, event_id, created_at, next_attempt_at)
  VALUES (p_stream_id, p_stream_id, p_event_id, p_at, p_at);
  PERFORM pg_notify('countersign_signals', '');
  RETURN 'applied';
END
$$;
