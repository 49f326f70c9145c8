-- Has a stream hear of the next devices that have attested, in the order of their ids behind `p_after`, as if each
-- had just changed: at most as many as there are `p_event_ids`. Answers how many, and the last of them; NULL where
-- there is no such stream, or it keeps no events. A reader that goes by what a change says is told of none.
CREATE FUNCTION fill_stream(p_stream_id text, p_after text, p_event_ids jsonb, p_at timestamptz)
RETURNS TABLE (devices integer, last text) LANGUAGE plpgsql AS $$
DECLARE
  d record;
  v_status text;
  v_event_id uuid;
BEGIN
  PERFORM FROM stream s WHERE s.stream_id = p_stream_id AND s.status <> 'disabled';
  IF NOT FOUND THEN
    RETURN QUERY SELECT NULL::integer, NULL::text;
    RETURN;
  END IF;
  devices := 0;
  FOR d IN
    SELECT v.device_id, v.announced_verdict, v.enrolment FROM device v
    WHERE v.device_id > p_after AND v.attestation_id IS NOT NULL
    ORDER BY v.device_id LIMIT jsonb_array_length(p_event_ids)
  LOOP
    v_status := compliance_status(d.announced_verdict, d.enrolment);
    v_event_id := (p_event_ids ->> devices)::uuid;
    INSERT INTO outbox (device_id, event_id, type, payload, created_at, next_attempt_at)
    VALUES (d.device_id, v_event_id, 'device-compliance-change',
      jsonb_build_object(
        'at', iso_time(p_at),
        'cause', 'administrator',
        'previousStatus', v_status,
        'currentStatus', v_status,
        'previousVerdict', d.announced_verdict,
        'currentVerdict', d.announced_verdict,
        'reasons', '[]'::jsonb,
        'attestationId', NULL),
      p_at, p_at);
    INSERT INTO delivery (device_id, stream_id, event_id, created_at, next_attempt_at)
    VALUES (d.device_id, p_stream_id, v_event_id, p_at, p_at);
    devices := devices + 1;
    last := d.device_id;
  END LOOP;
  IF devices > 0 THEN PERFORM pg_notify('countersign_signals', ''); END IF;
  RETURN NEXT;
END
$$;
