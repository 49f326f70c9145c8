-- Ends a hold: by an administrator at any time, by the service when its time is over.
CREATE FUNCTION end_hold(
  p_hold_id text, p_by text, p_reason text, p_at timestamptz, p_audit_id uuid, p_event_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_cause jsonb;
BEGIN
  -- First, as when one begins or is lengthened: two that take locks in turn would wait in a circle.
  PERFORM FROM control WHERE id = 1 FOR UPDATE;
  UPDATE hold SET ended_at = p_at WHERE hold_id = p_hold_id AND ended_at IS NULL
  RETURNING cause INTO v_cause;
  IF NOT FOUND THEN
    RETURN CASE
      WHEN EXISTS (SELECT FROM hold WHERE hold_id = p_hold_id) THEN 'unchanged'
      ELSE 'hold_unknown'
    END;
  END IF;
  PERFORM note_change(p_at, p_by, 'hold.ended',
    jsonb_build_object('holdId', p_hold_id, 'cause', v_cause, 'reason', p_reason),
    'hold-changed', p_audit_id, p_event_id);
  RETURN 'applied';
END
$$;
