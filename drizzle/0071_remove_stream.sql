-- Ends a stream: its receiver's word, or without `p_client_id` ours. What waited for it goes in rounds, later.
-- Answers `applied` or `stream_unknown`.
CREATE FUNCTION remove_stream(
  p_stream_id text, p_client_id text, p_at timestamptz, p_by text, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM stream
  WHERE stream_id = p_stream_id AND (p_client_id IS NULL OR client_id = p_client_id);
  IF NOT FOUND THEN RETURN 'stream_unknown'; END IF;
  DELETE FROM stream_exclusion WHERE stream_id = p_stream_id;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, 'stream.removed',
    jsonb_build_object('streamId', p_stream_id));
  RETURN 'applied';
END
$$;
