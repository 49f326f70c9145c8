-- Rows that were there before any waited for its leaf begin to, `p_limit` of them at each call, from the
-- oldest to those of an hour after, as clocks differ. Answers how many it looked at: 0 when all is done.
CREATE FUNCTION adopt_audit_rows(p_limit integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_log audit_log%ROWTYPE;
  v_row record;
  v_at timestamptz;
  v_id uuid;
  v_rows integer := 0;
BEGIN
  SELECT * INTO v_log FROM audit_log WHERE id = 1 FOR UPDATE;
  IF v_log.is_adopted THEN RETURN 0; END IF;
  FOR v_row IN
    SELECT a.at, a.audit_id, a.device_id FROM audit a
    WHERE a.at < v_log.begun_at + interval '1 hour' AND a.at >= coalesce(v_log.adopted_at, '-infinity')
      AND (v_log.adopted_at IS NULL OR (a.at, a.audit_id) > (v_log.adopted_at, v_log.adopted_id))
    ORDER BY a.at, a.audit_id LIMIT p_limit
  LOOP
    v_rows := v_rows + 1;
    v_at := v_row.at;
    v_id := v_row.audit_id;
    IF NOT EXISTS (
      SELECT FROM audit_leaf l
      WHERE l.at = v_row.at AND l.audit_id = v_row.audit_id AND l.device_id = v_row.device_id
    ) THEN
      INSERT INTO audit_pending (at, audit_id, device_id)
      VALUES (v_row.at, v_row.audit_id, v_row.device_id) ON CONFLICT DO NOTHING;
    END IF;
  END LOOP;
  UPDATE audit_log
  SET is_adopted = v_rows < p_limit, adopted_at = coalesce(v_at, adopted_at),
    adopted_id = coalesce(v_id, adopted_id)
  WHERE id = 1;
  RETURN v_rows;
END
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION adopt_audit_rows(integer) FROM PUBLIC;
