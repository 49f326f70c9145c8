-- Notes which clauses devices do not meet, as the sweep found it under the rules of revision
-- `p_revision`: NULL, and nothing is noted, if that is another one by now. A device that has attested since it
-- was looked at stays as that noted it. Answers how many were changed.
CREATE FUNCTION note_unmet(p_changes jsonb, p_revision integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  v_changed integer := 0;
  c record;
BEGIN
  PERFORM FROM control WHERE id = 1 AND revision = p_revision;
  IF NOT FOUND THEN RETURN NULL; END IF;
  -- In one order, so that two of these never wait for each other in a circle; a device at a time, since
  -- the devices may be on several machines.
  FOR c IN
    SELECT x.device_id, x.attestation_id, ARRAY(SELECT jsonb_array_elements_text(x.unmet)) AS unmet
    FROM jsonb_to_recordset(p_changes) AS x(device_id text, attestation_id text, unmet jsonb)
    ORDER BY x.device_id COLLATE "C"
  LOOP
    UPDATE device d SET unmet = c.unmet
    WHERE d.device_id = c.device_id AND d.attestation_id IS NOT DISTINCT FROM c.attestation_id
      AND d.unmet <> c.unmet;
    IF FOUND THEN v_changed := v_changed + 1; END IF;
  END LOOP;
  RETURN v_changed;
END
$$;
