-- Tells others what the sweep found, each change once: only where they still were told `previous`
-- last and the device has not attested since it was looked at. Nothing is told if what steers
-- decisions has changed since revision `p_revision`: NULL. Answers how many were told.
--
-- No change is one that an administrator ruled out meanwhile, whatever the caller believes. The clauses that
-- a device does not meet are noted with its change, as `note_unmet` does where there is none; a process of
-- the version before says nothing of them, and leaves them as they are.
CREATE OR REPLACE FUNCTION announce_verdicts(p_changes jsonb, p_revision integer, p_at timestamptz)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  v_told integer := 0;
  v_enrolment text;
  c record;
BEGIN
  PERFORM FROM control WHERE id = 1 AND revision = p_revision;
  IF NOT FOUND THEN RETURN NULL; END IF;

  -- In one order, so that two of these never wait for each other in a circle; a device at a time, since
  -- the devices may be on several machines.
  FOR c IN
    SELECT x.*, CASE WHEN x.clauses IS NOT NULL
      THEN ARRAY(SELECT jsonb_array_elements_text(x.clauses)) END AS unmet
    FROM jsonb_to_recordset(p_changes) AS x(device_id text, event_id uuid, previous text,
      verdict text, reasons jsonb, attestation_id text, clauses jsonb)
    WHERE x.verdict <> x.previous
    ORDER BY x.device_id COLLATE "C"
  LOOP
    UPDATE device d SET announced_verdict = c.verdict, unmet = coalesce(c.unmet, d.unmet)
    WHERE d.device_id = c.device_id AND d.announced_verdict = c.previous
      AND d.attestation_id IS NOT DISTINCT FROM c.attestation_id
      AND (d.quarantined_at IS NOT NULL) = (c.verdict = 'quarantined')
      AND (d.enrolment = 'admitted' OR c.verdict IN ('unknown', 'quarantined'))
    RETURNING d.enrolment INTO v_enrolment;
    CONTINUE WHEN NOT FOUND;
    PERFORM announce_change(c.device_id, c.event_id, p_at, 'sweep', v_enrolment, v_enrolment,
      c.previous, c.verdict, c.reasons, c.attestation_id);
    v_told := v_told + 1;
  END LOOP;
  RETURN v_told;
END
$$;
