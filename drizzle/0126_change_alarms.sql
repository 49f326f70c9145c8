-- Raises alarms, renews what is known of those that stand, and clears others. `p_raised` and `p_renewed` are
-- `[{"name", "subject", "level", "detail", "until", "event_id", "audit_id"}]`, `p_cleared` the same with no more than
-- names and ids. What is news leaves for each destination that wants it, with its audit row: an alarm that did
-- not stand, or at another level, and one that stood and does not any more. So of several processes that find the
-- same one tells it. Answers how many were news.
CREATE FUNCTION change_alarms(
  p_raised jsonb, p_renewed jsonb, p_cleared jsonb, p_by text, p_at timestamptz
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  a alarm%ROWTYPE;
  v record;
  v_told integer := 0;
BEGIN
  FOR v IN
    SELECT * FROM jsonb_to_recordset(p_renewed) AS x(name text, subject text, level text,
      detail jsonb, until timestamptz)
  LOOP
    UPDATE alarm SET detail = v.detail, until = v.until
    WHERE name = v.name AND subject = v.subject AND level = v.level;
  END LOOP;
  FOR v IN
    SELECT * FROM jsonb_to_recordset(p_raised) AS x(name text, subject text, level text,
      detail jsonb, until timestamptz, event_id uuid, audit_id uuid)
    ORDER BY x.name COLLATE "C", x.subject COLLATE "C"
  LOOP
    INSERT INTO alarm (name, subject, level, since, until, detail)
    VALUES (v.name, v.subject, v.level, p_at, v.until, v.detail)
    ON CONFLICT (name, subject) DO UPDATE SET
      level = excluded.level, until = excluded.until, detail = excluded.detail
    WHERE alarm.level <> excluded.level
    RETURNING * INTO a;
    CONTINUE WHEN NOT FOUND;
    v_told := v_told + 1;
    PERFORM tell_alarm(a, 'raised', v.event_id, v.audit_id, p_by, p_at);
  END LOOP;
  FOR v IN
    SELECT * FROM jsonb_to_recordset(p_cleared) AS x(name text, subject text, event_id uuid,
      audit_id uuid)
    ORDER BY x.name COLLATE "C", x.subject COLLATE "C"
  LOOP
    DELETE FROM alarm WHERE name = v.name AND subject = v.subject AND (until IS NULL OR until <= p_at)
    RETURNING * INTO a;
    CONTINUE WHEN NOT FOUND;
    v_told := v_told + 1;
    PERFORM tell_alarm(a, 'cleared', v.event_id, v.audit_id, p_by, p_at);
  END LOOP;
  RETURN v_told;
END
$$;
