-- Ends the waiting of events that were delivered, or that nobody was there to be given: each goes from the
-- outbox to where it is kept for a while, or stays. `p_events` is `[{"device_id", "event_id"}]`. Answers how
-- many were settled: one that somebody else has settled meanwhile is not among them.
CREATE FUNCTION settle_events(p_events jsonb, p_outcome text, p_at timestamptz) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
  e outbox%ROWTYPE;
  v_settled integer := 0;
  v record;
BEGIN
  FOR v IN
    SELECT * FROM jsonb_to_recordset(p_events) AS x(device_id text, event_id uuid)
    ORDER BY x.device_id COLLATE "C", x.event_id
  LOOP
    DELETE FROM outbox WHERE device_id = v.device_id AND event_id = v.event_id RETURNING * INTO e;
    CONTINUE WHEN NOT FOUND;
    INSERT INTO settled_event (device_id, event_id, settled_at, outcome, type, payload, created_at,
      attempts)
    VALUES (e.device_id, e.event_id, p_at, p_outcome, e.type, e.payload, e.created_at, e.attempts);
    v_settled := v_settled + 1;
  END LOOP;
  RETURN v_settled;
END
$$;
