-- Makes the partitions of a table for now and for `p_ahead` periods to come, and drops the oldest one if
-- nothing in it is as young as `p_before`. Periods are `p_width` long and begin at multiples of it.
--
-- Answers how many it made; the one it dropped, or NULL; for how many of these periods there is no
-- partition in spite of it, NULL if somebody else is at work, and why; and whether rows of a period had come before its partition, which are
-- in the default partition and stay there: the partition then begins at a later hour.
--
-- Of the audit log no partition goes that has rows of the last 730 days by the clock of the database, whatever
-- `p_before` says, and none before the log says so (`audit_rows_may_go`). It works with the rights of its
-- owner, so that the role of the service needs none to make or to drop tables.
--
-- Any number of processes may call it, and one works at a time. A table is locked for moments only: what
-- cannot have its lock at once is left to the next call. Nobody writes while a partition is made: a row that
-- is on its way to the default partition would be refused there, as it belongs to the new one.
CREATE OR REPLACE FUNCTION keep_partitions(
  p_table text, p_column text, p_width interval, p_ahead integer, p_before timestamptz,
  p_now timestamptz
) RETURNS TABLE (made integer, dropped text, missing integer, fault text, is_late boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
  v_seconds double precision := extract(epoch FROM p_width);
  v_default text := p_table || '_default';
  v_from timestamptz;
  v_to timestamptz;
  v_made_until timestamptz;
  v_after timestamptz;
  v_name text;
  v_before timestamptz := p_before;
BEGIN
  PERFORM FROM pg_partitioned_table WHERE partrelid::regclass::text = p_table;
  IF NOT FOUND THEN RAISE EXCEPTION '% is no table of partitions', p_table; END IF;
  IF p_table = 'audit' THEN v_before := least(p_before, now() - interval '730 days'); END IF;
  made := 0;
  is_late := false;
  IF NOT pg_try_advisory_xact_lock(hashtextextended('partitions of ' || p_table, 0)) THEN
    RETURN NEXT;
    RETURN;
  END IF;
  missing := 0;

  FOR i IN 0..p_ahead LOOP
    v_from := to_timestamp((floor(extract(epoch FROM p_now) / v_seconds) + i) * v_seconds);
    v_to := v_from + p_width;
    SELECT max(p.upper) INTO v_made_until FROM partitions_of(p_table) p
    WHERE p.lower < v_to AND p.upper > v_from;
    CONTINUE WHEN v_made_until >= v_to;
    BEGIN
      EXECUTE format('LOCK TABLE %I IN SHARE ROW EXCLUSIVE MODE', p_table);
      EXECUTE format(
        'SELECT date_trunc(''hour'', max(%I)) + interval ''1 hour'' FROM %I WHERE %I >= $1 AND %I < $2',
        p_column, v_default, p_column, p_column
      ) INTO v_after USING v_from, v_to;
      is_late := is_late OR v_after IS NOT NULL;
      v_from := greatest(v_from, v_made_until, v_after);
      CONTINUE WHEN v_from >= v_to;
      v_name := format('%s_%s', p_table, to_char(v_from AT TIME ZONE 'UTC', 'YYYYMMDDHH24'));
      EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', v_name,
        p_table);
      EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', p_table,
        v_name, v_from, v_to);
      made := made + 1;
    EXCEPTION WHEN OTHERS THEN
      missing := missing + 1;
      fault := SQLERRM;
    END;
  END LOOP;

  -- One, and last, because the whole table is locked until this transaction ends.
  SELECT p.name, p.lower, p.upper INTO v_name, v_from, v_to FROM partitions_of(p_table) p
  WHERE p.upper <= v_before ORDER BY p.upper LIMIT 1;
  IF FOUND AND (p_table <> 'audit' OR audit_rows_may_go(v_name, v_name, v_from, v_to, p_now)) THEN
    BEGIN
      EXECUTE format('DROP TABLE %I', v_name);
      IF p_table = 'audit' THEN DELETE FROM audit_leaf l WHERE l.at >= v_from AND l.at < v_to; END IF;
      dropped := v_name;
    EXCEPTION WHEN lock_not_available THEN
      NULL;
    END;
  END IF;
  RETURN NEXT;
END
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION keep_partitions(text, text, interval, integer, timestamptz, timestamptz) FROM PUBLIC;
