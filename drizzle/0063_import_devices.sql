-- Sets what rows of a list say of their devices: of all of them, or of none. A row names its device by its
-- id, with `key_hash` one that is put on the list if nobody knows it; else by its Entra device id, else by
-- its serial number, both as they are searched by. If a row names none, or several, or the device of a row
-- before it, the answer is these rows (`unknown`, `ambiguous`, `repeated`), and nothing is written. Else it
-- is all rows: `enrolled`, `applied`, or `unchanged` where all of it was so already.
CREATE FUNCTION import_devices(p_rows jsonb, p_at timestamptz, p_by text)
RETURNS TABLE (line integer, outcome text, target text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  r record;
  v_found text[];
  v_targets text[] := '{}';
  v_plan jsonb := '[]';
  v_refused boolean := false;
BEGIN
  FOR r IN
    SELECT x.* FROM jsonb_to_recordset(p_rows) AS x(line integer, device_id text, key_hash text,
      entra text, serial text)
    ORDER BY x.line
  LOOP
    v_found := CASE
      WHEN r.device_id IS NOT NULL THEN ARRAY(
        SELECT d.device_id FROM device d WHERE d.device_id = r.device_id
        UNION ALL SELECT l.target_id FROM device_link l WHERE l.device_id = r.device_id)
      WHEN r.entra IS NOT NULL THEN
        ARRAY(SELECT d.device_id FROM device d WHERE d.entra_device_id_folded = r.entra LIMIT 2)
      ELSE ARRAY(SELECT d.device_id FROM device d WHERE d.serial_folded = r.serial LIMIT 2)
    END;
    IF cardinality(v_found) = 0 AND r.key_hash IS NOT NULL THEN v_found := ARRAY[r.device_id]; END IF;
    line := r.line;
    target := v_found[1];
    outcome := CASE
      WHEN cardinality(v_found) = 0 THEN 'unknown'
      WHEN cardinality(v_found) > 1 THEN 'ambiguous'
      WHEN v_found[1] = ANY(v_targets) THEN 'repeated'
    END;
    IF outcome IS NOT NULL THEN
      v_refused := true;
      RETURN NEXT;
    END IF;
    v_targets := v_targets || v_found[1];
    v_plan := v_plan || jsonb_build_object('line', r.line, 'target', v_found[1]);
  END LOOP;
  IF v_refused THEN RETURN; END IF;

  -- In one order, so that two of these never wait for each other in a circle.
  FOR r IN
    SELECT x.*, p.target AS found FROM jsonb_to_recordset(p_rows) AS x(line integer, key_kind text,
      key_hash text, ring integer, changes jsonb, folded jsonb, audit_id uuid)
    JOIN jsonb_to_recordset(v_plan) AS p(line integer, target text) ON p.line = x.line
    ORDER BY p.target COLLATE "C"
  LOOP
    line := r.line;
    target := r.found;
    outcome := set_device_attributes(r.found, r.changes, r.folded, p_at, p_by, r.audit_id);
    IF outcome = 'device_unknown' AND r.key_hash IS NOT NULL THEN
      outcome := enrol_device(r.found, r.key_kind, r.key_hash, r.ring, r.changes ->> 'owner',
        r.changes ->> 'entraDeviceId', coalesce(r.changes -> 'labels', '[]'), r.folded, p_at, p_by,
        r.audit_id, r.changes ->> 'name', r.changes ->> 'serial');
      outcome := CASE
        WHEN outcome = 'applied' THEN 'enrolled'
        ELSE set_device_attributes(r.found, r.changes, r.folded, p_at, p_by, r.audit_id)
      END;
    END IF;
    IF outcome = 'device_unknown' THEN RAISE EXCEPTION 'device % has gone meanwhile', r.found; END IF;
    RETURN NEXT;
  END LOOP;
END
$$;
