-- Whether rows of the audit log that are past their retention may go: once an entry of the log that says so
-- has its leaf, and a day has passed since. Without such an entry it writes one. So what is gone is said in
-- the log before it goes, and nobody who reads it meanwhile misses rows that nothing accounts for.
-- `p_what` names the rows, all of `p_part` from `p_from` to `p_until`. Rows that wait for a leaf stay.
CREATE FUNCTION audit_rows_may_go(
  p_what text, p_part text, p_from timestamptz, p_until timestamptz, p_now timestamptz
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_note audit%ROWTYPE;
  v_rows bigint;
  v_gone bigint;
BEGIN
  PERFORM FROM audit_pending p WHERE p.at >= p_from AND p.at < p_until;
  IF FOUND THEN RETURN false; END IF;
  SELECT * INTO v_note FROM audit a
  WHERE a.action = 'audit.rows-expired' AND a.detail ->> 'what' = p_what
  ORDER BY a.at DESC LIMIT 1;
  IF FOUND AND v_note.at > p_now - interval '1 day' THEN RETURN false; END IF;

  EXECUTE format('SELECT count(*) FROM %I WHERE at >= $1 AND at < $2', p_part)
  INTO v_rows USING p_from, p_until;
  IF v_rows = 0 THEN RETURN true; END IF;
  IF (v_note.detail ->> 'rows')::bigint = v_rows THEN
    PERFORM FROM audit_leaf l WHERE l.at = v_note.at AND l.audit_id = v_note.audit_id;
    RETURN FOUND;
  END IF;
  SELECT l.size - (SELECT count(*) FROM audit_leaf) INTO v_gone FROM audit_log l WHERE l.id = 1;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', gen_random_uuid(), p_now, 'service', 'audit.rows-expired',
    jsonb_build_object('what', p_what, 'from', iso_time(p_from), 'until', iso_time(p_until),
      'rows', v_rows, 'rowsInAll', v_gone + v_rows));
  RETURN false;
END
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION audit_rows_may_go(text, text, timestamptz, timestamptz, timestamptz) FROM PUBLIC;
