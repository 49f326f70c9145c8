-- Removes rows older than `p_before` from the default partition of a table, a few minutes' worth of the
-- oldest, and answers how many. Of the audit log none goes of the last 730 days by the clock of the database,
-- and none before the log says so (`audit_rows_may_go`). It works with the rights of its owner.
CREATE FUNCTION clear_default_partition(
  p_table text, p_column text, p_before timestamptz, p_now timestamptz
) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_default text := p_table || '_default';
  v_before timestamptz := p_before;
  v_first timestamptz;
  v_month timestamptz;
  v_next timestamptz;
  v_rows integer;
BEGIN
  PERFORM FROM pg_partitioned_table WHERE partrelid::regclass::text = p_table;
  IF NOT FOUND THEN RAISE EXCEPTION '% is no table of partitions', p_table; END IF;
  EXECUTE format('SELECT min(%I) FROM %I', p_column, v_default) INTO v_first;
  IF p_table = 'audit' THEN v_before := least(p_before, now() - interval '730 days'); END IF;
  IF v_first IS NULL OR v_first >= v_before THEN RETURN 0; END IF;
  IF p_table <> 'audit' THEN
    v_before := least(v_before, v_first + interval '5 minutes');
  ELSE
    -- Month by month, each said in the log once.
    v_month := date_trunc('month', v_first AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    v_next := (v_month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC';
    IF v_next > v_before THEN RETURN 0; END IF;
    v_before := v_next;
    IF NOT audit_rows_may_go(format('%s before %s', v_default, iso_time(v_before)), v_default,
      v_month, v_before, p_now)
    THEN
      RETURN 0;
    END IF;
    DELETE FROM audit_leaf l USING audit_default d
    WHERE d.at < v_before AND l.at = d.at AND l.audit_id = d.audit_id AND l.device_id = d.device_id;
  END IF;
  EXECUTE format('DELETE FROM %I WHERE %I < $1', v_default, p_column) USING v_before;
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  RETURN v_rows;
END
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION clear_default_partition(text, text, timestamptz, timestamptz) FROM PUBLIC;
