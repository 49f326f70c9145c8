-- Changes what a receiver may set of its stream, from the revision that it saw on. Answers `applied`,
-- `stream_unknown`, or `superseded`: it was changed since. How deliveries went to where they went before says
-- nothing about where they go now.
CREATE FUNCTION change_stream(
  p_stream_id text, p_client_id text, p_revision integer, p_push_url text,
  p_sealed_authorization text, p_events_requested jsonb, p_events_delivered jsonb,
  p_description text, p_at timestamptz, p_by text, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_requested text[] := ARRAY(SELECT jsonb_array_elements_text(p_events_requested));
  v_delivered text[] := ARRAY(SELECT jsonb_array_elements_text(p_events_delivered));
BEGIN
  UPDATE stream SET
    push_url = p_push_url,
    sealed_authorization = p_sealed_authorization,
    events_requested = v_requested,
    events_delivered = v_delivered,
    description = p_description,
    failing_since = NULL, failure = NULL, retry_at = NULL,
    revision = revision + 1
  WHERE stream_id = p_stream_id AND client_id = p_client_id AND revision = p_revision;
  IF NOT FOUND THEN
    PERFORM FROM stream WHERE stream_id = p_stream_id AND client_id = p_client_id;
    RETURN CASE WHEN FOUND THEN 'superseded' ELSE 'stream_unknown' END;
  END IF;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, 'stream.changed',
    jsonb_build_object('streamId', p_stream_id, 'pushUrl', p_push_url, 'events', p_events_delivered));
  PERFORM pg_notify('countersign_signals', '');
  RETURN 'applied';
END
$$;
