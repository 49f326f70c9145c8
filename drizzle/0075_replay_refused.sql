-- Has refused deliveries of a stream sent again: those named (`[{"device_id", "position"}]`), by an
-- administrator who has mended why they were refused. Answers how many.
CREATE FUNCTION replay_refused(
  p_stream_id text, p_deliveries jsonb, p_at timestamptz, p_by text, p_audit_id uuid
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  v record;
  v_replayed integer := 0;
BEGIN
  FOR v IN
    SELECT * FROM jsonb_to_recordset(p_deliveries) AS x(device_id text, "position" bigint)
    ORDER BY x.device_id COLLATE "C", x.position
  LOOP
    UPDATE delivery SET refused_at = NULL, next_attempt_at = p_at
    WHERE device_id = v.device_id AND stream_id = p_stream_id AND position = v.position
      AND refused_at IS NOT NULL;
    CONTINUE WHEN NOT FOUND;
    v_replayed := v_replayed + 1;
  END LOOP;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, 'stream.replayed',
    jsonb_build_object('streamId', p_stream_id, 'deliveries', v_replayed));
  PERFORM pg_notify('countersign_signals', '');
  RETURN v_replayed;
END
$$;
