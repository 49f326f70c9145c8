-- Adds an exception (a pin or an allowance). Answers `applied`, `document_unknown`, `device_unknown` or
-- `too_many` (`p_most` are open).
CREATE FUNCTION create_override(
  p_override_id text, p_action text, p_target_kind text, p_target text, p_kind text, p_hash text,
  p_reason text, p_author text, p_at timestamptz, p_expires_at timestamptz, p_most integer,
  p_audit_id uuid, p_event_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  -- One at a time, so that the limit holds.
  PERFORM FROM control WHERE id = 1 FOR UPDATE;
  IF p_action = 'pin' AND NOT EXISTS (
    SELECT FROM document WHERE kind = p_kind AND hash = p_hash
  ) THEN
    RETURN 'document_unknown';
  END IF;
  IF p_target_kind = 'device' AND NOT EXISTS (SELECT FROM device WHERE device_id = p_target) THEN
    RETURN 'device_unknown';
  END IF;
  IF (SELECT count(*) FROM override WHERE ended_at IS NULL AND expires_at > p_at) >= p_most THEN
    RETURN 'too_many';
  END IF;
  INSERT INTO override (override_id, action, target_kind, target, kind, hash, reason, author,
    created_at, expires_at)
  VALUES (p_override_id, p_action, p_target_kind, p_target, p_kind, p_hash, p_reason, p_author,
    p_at, p_expires_at);
  PERFORM note_change(p_at, p_author, 'override.created',
    jsonb_build_object('overrideId', p_override_id, 'override', p_action,
      'targetKind', p_target_kind, 'target', p_target, 'kind', p_kind, 'hash', p_hash,
      'reason', p_reason, 'expiresAt', iso_time(p_expires_at)),
    'override-changed', p_audit_id, p_event_id);
  RETURN 'applied';
END
$$;
