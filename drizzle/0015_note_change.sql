-- What every change of what steers decisions has in common: the revision moves, and its audit row and
-- its event are written.
CREATE FUNCTION note_change(
  p_at timestamptz, p_by text, p_action text, p_detail jsonb, p_event_type text, p_audit_id uuid,
  p_event_id uuid
) RETURNS void LANGUAGE sql AS $$
  SELECT touch_control();
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, p_action, p_detail);
  INSERT INTO outbox (device_id, event_id, type, payload, created_at, next_attempt_at)
  VALUES ('service', p_event_id, p_event_type,
    jsonb_build_object('at', iso_time(p_at), 'action', p_action) || p_detail, p_at, p_at);
$$;
