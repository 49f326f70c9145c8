-- Begins a hold, or lengthens the open one of the same cause where `p_lengthen` is true. At most
-- `p_most` are open at once, and a cause that had one after `p_rested_since` gets no other.
CREATE FUNCTION begin_hold(
  p_hold_id text, p_cause_key text, p_cause jsonb, p_covers timestamptz, p_since timestamptz,
  p_until timestamptz, p_evidence jsonb, p_lengthen boolean, p_most integer,
  p_rested_since timestamptz, p_audit_id uuid, p_event_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM control WHERE id = 1 FOR UPDATE;
  IF EXISTS (SELECT FROM hold WHERE cause_key = p_cause_key AND ended_at IS NULL) THEN
    IF NOT p_lengthen THEN RETURN 'unchanged'; END IF;
    UPDATE hold SET until = p_until
    WHERE cause_key = p_cause_key AND ended_at IS NULL AND until < p_until;
    IF NOT FOUND THEN RETURN 'unchanged'; END IF;
    PERFORM touch_control();
    RETURN 'lengthened';
  END IF;
  IF EXISTS (SELECT FROM hold WHERE cause_key = p_cause_key AND ended_at > p_rested_since) THEN
    RETURN 'used_up';
  END IF;
  IF (SELECT count(*) FROM hold WHERE ended_at IS NULL) >= p_most THEN RETURN 'too_many'; END IF;
  INSERT INTO hold (hold_id, cause_key, cause, covers, since, until, evidence)
  VALUES (p_hold_id, p_cause_key, p_cause, p_covers, p_since, p_until, p_evidence);
  PERFORM note_change(p_since, 'service', 'hold.begun',
    jsonb_build_object('holdId', p_hold_id, 'cause', p_cause, 'until', iso_time(p_until),
      'evidence', p_evidence),
    'hold-changed', p_audit_id, p_event_id);
  RETURN 'applied';
END
$$;
