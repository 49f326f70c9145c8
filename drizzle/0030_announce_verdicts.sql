-- Tells others what the sweep found, each change once: only where they still were told `previous`
-- last and the device has not attested since it was looked at. Nothing is told if what steers
-- decisions has changed since revision `p_revision`: NULL. Answers how many were told.
--
-- No change is one that an administrator ruled out meanwhile, whatever the caller believes.
CREATE FUNCTION announce_verdicts(p_changes jsonb, p_revision integer, p_at timestamptz)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  v_told integer := 0;
  t record;
BEGIN
  PERFORM FROM control WHERE id = 1 AND revision = p_revision;
  IF NOT FOUND THEN RETURN NULL; END IF;

  -- In one order, so that two of these never wait for each other in a circle.
  PERFORM FROM device
  WHERE device_id IN (SELECT c ->> 'deviceId' FROM jsonb_array_elements(p_changes) AS c)
  ORDER BY device_id FOR UPDATE;
  FOR t IN
    UPDATE device d SET announced_verdict = c.verdict
    FROM jsonb_to_recordset(p_changes) AS c("deviceId" text, "eventId" uuid, previous text,
      verdict text, reasons jsonb, "attestationId" text)
    WHERE d.device_id = c."deviceId" AND d.announced_verdict = c.previous
      AND c.verdict <> c.previous AND d.attestation_id IS NOT DISTINCT FROM c."attestationId"
      AND (d.quarantined_at IS NOT NULL) = (c.verdict = 'quarantined')
      AND (d.enrolment = 'admitted' OR c.verdict IN ('unknown', 'quarantined'))
    RETURNING d.device_id, d.enrolment, d.attestation_id, c."eventId", c.previous, c.verdict,
      c.reasons
  LOOP
    PERFORM announce_change(t.device_id, t."eventId", p_at, 'sweep', t.enrolment, t.enrolment,
      t.previous, t.verdict, t.reasons, t.attestation_id);
    v_told := v_told + 1;
  END LOOP;
  RETURN v_told;
END
$$;
