-- Enables, pauses or disables a stream: its receiver's word, or without `p_client_id` ours. Answers `applied`,
-- `unchanged`, or `stream_unknown`; a client that is disabled has none. With `p_failing_since` it is done only
-- while the stream has been failing since then.
CREATE OR REPLACE FUNCTION set_stream_status(
  p_stream_id text, p_client_id text, p_status text, p_reason text, p_failing_since timestamptz,
  p_at timestamptz, p_by text, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_disabled_at timestamptz;
BEGIN
  IF p_client_id IS NOT NULL THEN
    SELECT disabled_at INTO v_disabled_at FROM client WHERE client_id = p_client_id FOR SHARE;
    IF v_disabled_at IS NOT NULL THEN RETURN 'stream_unknown'; END IF;
  END IF;
  PERFORM FROM stream WHERE stream_id = p_stream_id AND (p_client_id IS NULL OR client_id = p_client_id)
  FOR UPDATE;
  IF NOT FOUND THEN RETURN 'stream_unknown'; END IF;
  UPDATE stream SET
    status = p_status,
    status_reason = p_reason,
    failing_since = NULL, failure = NULL, retry_at = NULL,
    revision = revision + 1
  WHERE stream_id = p_stream_id
    AND (status <> p_status OR status_reason IS DISTINCT FROM p_reason)
    AND (p_failing_since IS NULL OR failing_since = p_failing_since);
  IF NOT FOUND THEN RETURN 'unchanged'; END IF;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, 'stream.' || p_status,
    jsonb_build_object('streamId', p_stream_id, 'reason', p_reason));
  PERFORM pg_notify('countersign_signals', '');
  RETURN 'applied';
END
$$;
