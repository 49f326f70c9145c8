-- Notes of devices with which verdict they are in the list of statuses, where others still are told the
-- same: of the rest the next round writes what they are told by then.
CREATE OR REPLACE FUNCTION note_listed(p_devices jsonb) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  v_noted integer := 0;
  c record;
BEGIN
  -- In one order, so that two of these never wait for each other in a circle; a device at a time, since
  -- the devices may be on several machines.
  FOR c IN
    SELECT x.device_id, x.verdict FROM jsonb_to_recordset(p_devices) AS x(device_id text, verdict text)
    ORDER BY x.device_id COLLATE "C"
  LOOP
    UPDATE device d SET listed_verdict = c.verdict
    WHERE d.device_id = c.device_id AND d.announced_verdict = c.verdict;
    IF FOUND THEN v_noted := v_noted + 1; END IF;
  END LOOP;
  RETURN v_noted;
END
$$;
