-- By an administrator at any time, by the service when it has expired.
CREATE FUNCTION end_override(
  p_override_id text, p_by text, p_reason text, p_at timestamptz, p_audit_id uuid, p_event_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  UPDATE override SET ended_at = p_at
  WHERE override_id = p_override_id AND ended_at IS NULL;
  IF NOT FOUND THEN
    RETURN CASE
      WHEN EXISTS (SELECT FROM override WHERE override_id = p_override_id) THEN 'unchanged'
      ELSE 'override_unknown'
    END;
  END IF;
  PERFORM note_change(p_at, p_by, 'override.ended',
    jsonb_build_object('overrideId', p_override_id, 'reason', p_reason),
    'override-changed', p_audit_id, p_event_id);
  RETURN 'applied';
END
$$;
