-- Has a receiver hear nothing more of a subject (`p_excluded`), or hear of it again. Of an empty device or owner it
-- is every one. Answers `applied`, `unchanged`, `stream_unknown`, or `too_many_subjects`: `p_most` are left out.
CREATE FUNCTION exclude_subject(
  p_stream_id text, p_client_id text, p_device_id text, p_owner text, p_excluded boolean, p_most integer,
  p_at timestamptz, p_by text, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM stream WHERE stream_id = p_stream_id AND client_id = p_client_id FOR UPDATE;
  IF NOT FOUND THEN RETURN 'stream_unknown'; END IF;
  IF p_excluded THEN
    IF (SELECT count(*) FROM stream_exclusion WHERE stream_id = p_stream_id) >= p_most THEN
      RETURN 'too_many_subjects';
    END IF;
    INSERT INTO stream_exclusion (stream_id, device_id, owner, excluded_at)
    VALUES (p_stream_id, p_device_id, p_owner, p_at) ON CONFLICT DO NOTHING;
  ELSE
    DELETE FROM stream_exclusion
    WHERE stream_id = p_stream_id AND device_id = p_device_id AND owner = p_owner;
  END IF;
  IF NOT FOUND THEN RETURN 'unchanged'; END IF;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by,
    CASE WHEN p_excluded THEN 'stream.subject_removed' ELSE 'stream.subject_added' END,
    jsonb_build_object('streamId', p_stream_id, 'deviceId', nullif(p_device_id, ''),
      'owner', nullif(p_owner, '')));
  RETURN 'applied';
END
$$;
