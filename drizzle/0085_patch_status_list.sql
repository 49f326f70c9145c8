-- Writes statuses into the list, unless anybody else has since `p_revision` was read: NULL then, and nothing
-- is written, since what was read may be older than what is there. Answers the next revision.
--
-- `p_entries` is `[[chunk, byte, bits to keep, bits to set]]`. With it goes when devices are to be looked at
-- again (`p_dues`: `[{"due_at", "batch", "device_ids"}]`), which of the rows that said so are done
-- (`p_done`: `[{"due_at", "batch"}]`), and which places of devices that are gone were written (`p_retired`).
CREATE OR REPLACE FUNCTION patch_status_list(
  p_revision integer, p_entries jsonb, p_dues jsonb, p_done jsonb, p_retired jsonb
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  c record;
  e record;
  v_statuses bytea;
BEGIN
  UPDATE status_list SET revision = revision + 1 WHERE id = 1 AND revision = p_revision;
  IF NOT FOUND THEN RETURN NULL; END IF;

  FOR c IN
    SELECT (x ->> 0)::integer AS chunk, jsonb_agg(x) AS entries
    FROM jsonb_array_elements(p_entries) AS x GROUP BY 1 ORDER BY 1
  LOOP
    SELECT statuses INTO v_statuses FROM status_chunk WHERE chunk = c.chunk;
    -- What nobody was said anything about is unknown.
    v_statuses := coalesce(v_statuses, decode(repeat('ff', 4096), 'hex'));
    FOR e IN
      SELECT (x ->> 1)::integer AS at, (x ->> 2)::integer AS keep, (x ->> 3)::integer AS bits
      FROM jsonb_array_elements(c.entries) AS x
    LOOP
      v_statuses := set_byte(v_statuses, e.at, (get_byte(v_statuses, e.at) & e.keep) | e.bits);
    END LOOP;
    INSERT INTO status_chunk (chunk, statuses) VALUES (c.chunk, v_statuses)
    ON CONFLICT (chunk) DO UPDATE SET statuses = excluded.statuses;
  END LOOP;

  INSERT INTO status_due (due_at, batch, device_ids)
  SELECT x.due_at, x.batch, ARRAY(SELECT jsonb_array_elements_text(x.device_ids))
  FROM jsonb_to_recordset(p_dues) AS x(due_at timestamptz, batch uuid, device_ids jsonb);
  DELETE FROM status_due d USING jsonb_to_recordset(p_done) AS x(due_at timestamptz, batch uuid)
  WHERE d.due_at = x.due_at AND d.batch = x.batch;
  DELETE FROM retired_place r USING jsonb_array_elements(p_retired) AS x WHERE r.place = x::integer;
  RETURN p_revision + 1;
END
$$;
