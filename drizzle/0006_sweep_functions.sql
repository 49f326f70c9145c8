-- What others were told last about a device is in its row. Whatever tells them something else changes
-- it in the same statement, and the sweep tells what nobody came by to say: that evidence ended, that
-- other documents or holds are in force, that grace is over.

-- A fleet that is already there is not told anew: every device was told as what it counted by then,
-- and nobody was told that a device that waits for its admission is trusted.
UPDATE device SET announced_verdict = CASE
  WHEN quarantined_at IS NULL AND enrolment <> 'admitted' THEN 'unknown'
  ELSE effective_verdict(verdict, valid_until, quarantined_at, now())
END;
--> statement-breakpoint
-- Records one accepted attestation, or nothing.
--
-- Locks are taken in one order, nonce then device, so that two calls never wait for each other in
-- a circle. A call with a nonce that another call is just spending waits for it and loses.
-- `is_current` is false when a newer attestation of the device is already recorded: this one is
-- then kept in the history and does not touch the trust record.
--
-- Another key than before raises the generation, so that device tokens of the key before end with it.
-- What is announced is what differs from what was announced before. Others are told
-- `p_announced_verdict`; without one it is left to the sweep, which knows what relieves the device.
--
-- A name that stands for another device answers `linked` and that device's name. With `p_linked_key`
-- the evidence named the device itself and not by this key: if the key is not known to be its own,
-- the answer is `link_needed`. Neither writes anything, the nonce included.
CREATE FUNCTION record_attestation(
  p_device_id text,
  p_key_kind text,
  p_device_key_hash text,
  p_ring integer,
  p_enrolment_mode text,
  p_nonce_id text,
  p_nonce_expires_at timestamptz,
  p_attestation_id text,
  p_attested_at timestamptz,
  p_valid_until timestamptz,
  p_issuer text,
  p_policy_hash text,
  p_confirmation_key text,
  p_claims jsonb,
  p_verdict text,
  p_reasons jsonb,
  p_failed_clauses jsonb,
  p_digests jsonb,
  p_trace jsonb,
  p_evaluated_policy_hash text,
  p_reference_values_hash text,
  p_audit_id uuid,
  p_event_id uuid,
  p_announced_verdict text,
  p_vouched boolean,
  p_linked_key text
) RETURNS TABLE (
  outcome text,
  is_current boolean,
  previous_verdict text,
  enrolment text,
  owner text,
  entra_device_id text,
  labels text[],
  ring smallint,
  quarantined_at timestamptz,
  quarantined_by text,
  quarantine_reason text,
  generation integer,
  confirmation_key text,
  linked_device_id text,
  is_new boolean
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  d device%ROWTYPE;
  v_outcome text := 'recorded';
  v_created boolean := false;
  v_current boolean := false;
  v_linked text;
  v_previous text;
  v_announced text;
  v_to_announce text;
  v_first_failed_at jsonb := '{}';
BEGIN
  IF p_enrolment_mode = 'listed'
    AND NOT EXISTS (SELECT FROM device x WHERE x.device_id = p_device_id)
  THEN
    SELECT l.target_id INTO v_linked FROM device_link l WHERE l.device_id = p_device_id;
    v_outcome := CASE
      WHEN v_linked IS NOT NULL THEN 'linked'
      WHEN p_linked_key IS NOT NULL THEN 'link_needed'
      ELSE 'device_not_listed'
    END;
    RETURN QUERY SELECT v_outcome, false, 'unknown', NULL::text, NULL::text, NULL::text,
      '{}'::text[], NULL::smallint, NULL::timestamptz, NULL::text, NULL::text, NULL::integer,
      NULL::text, v_linked, false;
    RETURN;
  END IF;

  INSERT INTO spent_nonce (device_id, nonce_id, expires_at)
  VALUES (p_device_id, p_nonce_id, p_nonce_expires_at)
  ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    v_outcome := 'nonce_spent';
    SELECT * INTO d FROM device x WHERE x.device_id = p_device_id;
  ELSE
    SELECT * INTO d FROM device x WHERE x.device_id = p_device_id FOR UPDATE;
    IF NOT FOUND THEN
      SELECT l.target_id INTO v_linked FROM device_link l WHERE l.device_id = p_device_id;
    END IF;
    IF d.device_id IS NULL AND v_linked IS NULL AND p_linked_key IS NULL THEN
      SELECT coalesce(jsonb_object_agg(clause, iso_time(p_attested_at)), '{}')
      INTO v_first_failed_at
      FROM jsonb_array_elements_text(p_failed_clauses) AS clause;

      INSERT INTO device (
        device_id, key_kind, device_key_hash, enrolment, ring, attestation_id, attested_at,
        valid_until, issuer, policy_hash, confirmation_key, claims, verdict, reasons,
        first_failed_at, announced_verdict, vouched, seen_on, created_at, updated_at
      ) VALUES (
        p_device_id, p_key_kind, p_device_key_hash,
        CASE p_enrolment_mode WHEN 'approval' THEN 'pending' ELSE 'admitted' END, p_ring,
        p_attestation_id, p_attested_at, p_valid_until, p_issuer, p_policy_hash,
        p_confirmation_key, p_claims, p_verdict, p_reasons, v_first_failed_at,
        CASE p_enrolment_mode
          WHEN 'approval' THEN 'unknown'
          ELSE coalesce(p_announced_verdict, 'unknown')
        END,
        p_vouched, (p_attested_at AT TIME ZONE 'UTC')::date, p_attested_at, p_attested_at
      )
      ON CONFLICT (device_id) DO NOTHING
      RETURNING * INTO d;
      v_created := FOUND;
      IF NOT v_created THEN
        SELECT * INTO d FROM device x WHERE x.device_id = p_device_id FOR UPDATE;
      END IF;
      -- Asked for again, because whoever links this name waited for the row or had made it before.
      SELECT l.target_id INTO v_linked FROM device_link l WHERE l.device_id = p_device_id;
    END IF;

    IF v_linked IS NOT NULL OR d.device_id IS NULL
      OR (p_linked_key IS NOT NULL AND NOT p_linked_key = ANY(d.linked_keys))
    THEN
      IF v_created THEN DELETE FROM device x WHERE x.device_id = p_device_id; END IF;
      DELETE FROM spent_nonce s WHERE s.device_id = p_device_id AND s.nonce_id = p_nonce_id;
      RETURN QUERY SELECT CASE WHEN v_linked IS NULL THEN 'link_needed' ELSE 'linked' END, false,
        'unknown', NULL::text, NULL::text, NULL::text, '{}'::text[], NULL::smallint,
        NULL::timestamptz, NULL::text, NULL::text, NULL::integer, NULL::text, v_linked, false;
      RETURN;
    END IF;
  END IF;

  v_previous := CASE
    WHEN v_created THEN 'unknown'
    ELSE effective_verdict(d.verdict, d.valid_until, NULL, p_attested_at)
  END;
  v_announced := CASE WHEN v_created THEN 'unknown' ELSE d.announced_verdict END;

  IF v_outcome = 'recorded' THEN
    v_current := v_created OR d.attested_at IS NULL OR d.attested_at <= p_attested_at;
    -- What an administrator said counts for more than what the device proved.
    v_to_announce := CASE
      WHEN NOT v_current OR d.quarantined_at IS NOT NULL THEN v_announced
      WHEN d.enrolment <> 'admitted' THEN 'unknown'
      ELSE coalesce(p_announced_verdict, v_announced)
    END;

    IF v_current AND NOT v_created THEN
      -- A clause that failed before keeps the time since which it fails; a passing one loses it.
      SELECT coalesce(
        jsonb_object_agg(clause, coalesce(d.first_failed_at ->> clause, iso_time(p_attested_at))),
        '{}')
      INTO v_first_failed_at
      FROM jsonb_array_elements_text(p_failed_clauses) AS clause;

      UPDATE device x SET
        attestation_id = p_attestation_id,
        attested_at = p_attested_at,
        valid_until = p_valid_until,
        issuer = p_issuer,
        policy_hash = p_policy_hash,
        confirmation_key = p_confirmation_key,
        claims = p_claims,
        verdict = p_verdict,
        reasons = p_reasons,
        first_failed_at = v_first_failed_at,
        announced_verdict = v_to_announce,
        vouched = p_vouched,
        seen_on = (p_attested_at AT TIME ZONE 'UTC')::date,
        archived_at = NULL,
        generation = x.generation + coalesce(x.confirmation_key <> p_confirmation_key, false)::integer,
        updated_at = p_attested_at
      WHERE x.device_id = p_device_id
      RETURNING generation, confirmation_key INTO d.generation, d.confirmation_key;
    END IF;

    INSERT INTO attestation (
      device_id, attestation_id, at, outcome, verdict, reasons, claims, digests, trace, issuer,
      policy_hash, evaluated_policy_hash, reference_values_hash
    ) VALUES (
      p_device_id, p_attestation_id, p_attested_at, 'accepted', p_verdict, p_reasons, p_claims,
      p_digests, p_trace, p_issuer, p_policy_hash, p_evaluated_policy_hash,
      p_reference_values_hash
    );

    INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
    VALUES (p_device_id, p_audit_id, p_attested_at, p_device_id, 'attestation.recorded',
      jsonb_build_object('attestationId', p_attestation_id, 'verdict', p_verdict,
        'current', v_current, 'created', v_created));

    IF v_to_announce <> v_announced THEN
      PERFORM announce_change(p_device_id, p_event_id, p_attested_at, 'attestation', d.enrolment,
        d.enrolment, v_announced, v_to_announce, p_reasons, p_attestation_id);
    END IF;
  END IF;

  RETURN QUERY SELECT v_outcome, v_current, v_previous, d.enrolment, d.owner, d.entra_device_id,
    coalesce(d.labels, '{}'), d.ring, d.quarantined_at, d.quarantined_by, d.quarantine_reason,
    d.generation, d.confirmation_key, NULL::text, v_created;
END
$$;
--> statement-breakpoint
-- Each change by an administrator answers `applied`, `unchanged` (it already was so; nothing is
-- written) or `device_unknown`. A quarantine and its end both raise the generation: device tokens of
-- before do not count after.
CREATE FUNCTION quarantine_device(
  p_device_id text, p_at timestamptz, p_by text, p_reason text, p_audit_id uuid, p_event_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  d device%ROWTYPE;
BEGIN
  SELECT * INTO d FROM device WHERE device_id = p_device_id FOR UPDATE;
  IF NOT FOUND THEN RETURN 'device_unknown'; END IF;
  IF d.quarantined_at IS NOT NULL THEN RETURN 'unchanged'; END IF;

  UPDATE device
  SET quarantined_at = p_at, quarantined_by = p_by, quarantine_reason = p_reason,
    announced_verdict = 'quarantined', generation = generation + 1, updated_at = p_at
  WHERE device_id = p_device_id;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES (p_device_id, p_audit_id, p_at, p_by, 'device.quarantined',
    jsonb_build_object('reason', p_reason));
  PERFORM announce_change(p_device_id, p_event_id, p_at, 'administrator', d.enrolment, d.enrolment,
    d.announced_verdict, 'quarantined', '[]', d.attestation_id);
  RETURN 'applied';
END
$$;
--> statement-breakpoint
CREATE FUNCTION release_device(
  p_device_id text, p_at timestamptz, p_by text, p_reason text, p_audit_id uuid, p_event_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  d device%ROWTYPE;
  v_verdict text;
BEGIN
  SELECT * INTO d FROM device WHERE device_id = p_device_id FOR UPDATE;
  IF NOT FOUND THEN RETURN 'device_unknown'; END IF;
  IF d.quarantined_at IS NULL THEN RETURN 'unchanged'; END IF;

  v_verdict := CASE
    WHEN d.enrolment <> 'admitted' THEN 'unknown'
    ELSE effective_verdict(d.verdict, d.valid_until, NULL, p_at)
  END;
  UPDATE device
  SET quarantined_at = NULL, quarantined_by = NULL, quarantine_reason = NULL,
    announced_verdict = v_verdict, generation = generation + 1, updated_at = p_at
  WHERE device_id = p_device_id;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES (p_device_id, p_audit_id, p_at, p_by, 'device.released',
    jsonb_build_object('reason', p_reason));
  PERFORM announce_change(p_device_id, p_event_id, p_at, 'administrator', d.enrolment, d.enrolment,
    d.announced_verdict, v_verdict, d.reasons, d.attestation_id);
  RETURN 'applied';
END
$$;
--> statement-breakpoint
-- Others hear of an admission at once when it makes the device compliant; anything else that it comes
-- to, the sweep tells.
CREATE FUNCTION admit_device(
  p_device_id text, p_at timestamptz, p_by text, p_reason text, p_audit_id uuid, p_event_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  d device%ROWTYPE;
  v_is_trusted boolean;
BEGIN
  SELECT * INTO d FROM device WHERE device_id = p_device_id FOR UPDATE;
  IF NOT FOUND THEN RETURN 'device_unknown'; END IF;
  IF d.enrolment = 'admitted' THEN RETURN 'unchanged'; END IF;

  v_is_trusted :=
    effective_verdict(d.verdict, d.valid_until, d.quarantined_at, p_at) = 'trusted';
  UPDATE device
  SET enrolment = 'admitted', updated_at = p_at,
    announced_verdict = CASE WHEN v_is_trusted THEN 'trusted' ELSE announced_verdict END
  WHERE device_id = p_device_id;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES (p_device_id, p_audit_id, p_at, p_by, 'device.admitted',
    jsonb_build_object('reason', p_reason));
  IF v_is_trusted THEN
    PERFORM announce_change(p_device_id, p_event_id, p_at, 'administrator', d.enrolment, 'admitted',
      d.announced_verdict, 'trusted', d.reasons, d.attestation_id);
  END IF;
  RETURN 'applied';
END
$$;
--> statement-breakpoint
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
