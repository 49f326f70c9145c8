-- Says what became of tries. `p_outcomes` is `[{"device_id", "stream_id", "position", "outcome", "delivered",
-- "failure", "next_attempt_at"}]`: `delivered` ends a delivery, and with the last one of an event its waiting;
-- so does `dropped`, where nobody is to have it any more; `refused` keeps it for an administrator; `later` has it tried again. Answers how many were still there.
CREATE FUNCTION settle_deliveries(p_outcomes jsonb, p_at timestamptz) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
  e outbox%ROWTYPE;
  v record;
  v_event_id uuid;
  v_delivered text[];
  v_settled integer := 0;
BEGIN
  FOR v IN
    SELECT * FROM jsonb_to_recordset(p_outcomes) AS x(device_id text, stream_id text,
      "position" bigint, outcome text, delivered jsonb, failure text, next_attempt_at timestamptz)
    ORDER BY x.device_id COLLATE "C", x.position
  LOOP
    SELECT event_id INTO v_event_id FROM delivery
    WHERE device_id = v.device_id AND stream_id = v.stream_id AND position = v.position;
    CONTINUE WHEN NOT FOUND;
    v_settled := v_settled + 1;
    IF v.outcome IN ('delivered', 'dropped') THEN
      -- On the event two streams wait for each other, so that one of them is the last.
      SELECT * INTO e FROM outbox WHERE device_id = v.device_id AND event_id = v_event_id FOR UPDATE;
      DELETE FROM delivery
      WHERE device_id = v.device_id AND stream_id = v.stream_id AND position = v.position;
      CONTINUE WHEN e.event_id IS NULL;
      PERFORM FROM delivery WHERE device_id = v.device_id AND event_id = v_event_id;
      CONTINUE WHEN FOUND;
      DELETE FROM outbox WHERE device_id = v.device_id AND event_id = v_event_id;
      INSERT INTO settled_event (device_id, event_id, settled_at, outcome, type, payload, created_at,
        attempts)
      VALUES (e.device_id, e.event_id, p_at,
        CASE v.outcome WHEN 'delivered' THEN 'delivered' ELSE 'expired' END,
        e.type, e.payload, e.created_at, e.attempts);
    ELSE
      v_delivered := ARRAY(SELECT jsonb_array_elements_text(coalesce(v.delivered, '[]')));
      UPDATE delivery SET
        attempts = attempts + 1,
        delivered = v_delivered,
        failure = v.failure,
        refused_at = CASE WHEN v.outcome = 'refused' THEN p_at END,
        next_attempt_at = coalesce(v.next_attempt_at, next_attempt_at)
      WHERE device_id = v.device_id AND stream_id = v.stream_id AND position = v.position;
    END IF;
  END LOOP;
  RETURN v_settled;
END
$$;
