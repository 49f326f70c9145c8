-- Makes a stream of a client. Answers `applied`, or `too_many_streams`: the client has `p_most` already, or is
-- disabled and may have none. Those that are made for one client at once wait for each other, so that the number
-- bounds what a change of a device costs.
CREATE OR REPLACE FUNCTION create_stream(
  p_stream_id text, p_client_id text, p_audience text, p_push_url text, p_sealed_authorization text,
  p_events_requested jsonb, p_events_delivered jsonb, p_description text, p_subject_form text,
  p_most integer, p_at timestamptz, p_by text, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_requested text[] := ARRAY(SELECT jsonb_array_elements_text(p_events_requested));
  v_delivered text[] := ARRAY(SELECT jsonb_array_elements_text(p_events_delivered));
  v_disabled_at timestamptz;
BEGIN
  -- Not every client has a row that could be locked: callers of other issuers have none.
  PERFORM pg_advisory_xact_lock(hashtextextended('streams of ' || p_client_id, 0));
  SELECT disabled_at INTO v_disabled_at FROM client WHERE client_id = p_client_id FOR SHARE;
  IF v_disabled_at IS NOT NULL
    OR (SELECT count(*) FROM stream WHERE client_id = p_client_id) >= p_most THEN
    RETURN 'too_many_streams';
  END IF;
  INSERT INTO stream (stream_id, client_id, audience, push_url, sealed_authorization, events_requested,
    events_delivered, description, subject_form, status, created_at)
  VALUES (p_stream_id, p_client_id, p_audience, p_push_url, p_sealed_authorization, v_requested,
    v_delivered, p_description, p_subject_form, 'enabled', p_at);
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, 'stream.created',
    jsonb_build_object('streamId', p_stream_id, 'clientId', p_client_id, 'audience', p_audience,
      'pushUrl', p_push_url, 'events', p_events_delivered));
  RETURN 'applied';
END
$$;
