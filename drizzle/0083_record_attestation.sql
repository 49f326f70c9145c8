DROP FUNCTION record_attestation(
  text, text, text, integer, text, text, timestamptz, text, timestamptz, timestamptz, text,
  text, text, jsonb, text, jsonb, jsonb, jsonb, jsonb, text, text, uuid, text, boolean, text, jsonb
);
--> statement-breakpoint
-- Records one accepted attestation, or nothing.
--
-- Locks are taken in one order, nonce then device, so that two calls never wait for each other in
-- a circle. A call with a nonce that another call is just spending waits for it and loses.
-- `is_current` is false when a newer attestation of the device is already recorded: this one is
-- then kept in the history and does not touch the trust record. The history row is the audit row too.
--
-- Another key than before raises the generation, so that device tokens of the key before end with it.
-- What is announced is what differs from what was announced before. Others are told
-- `p_announced_verdict`; without one it is left to the sweep, which knows what relieves the device.
--
-- `p_graces` says of each clause that denies now and gives time for repair whether it fails, is met or
-- rests, since when the documents bind the device to it, from which moment on they do anew if they name
-- one, and how long it must not fail for its grace to be forgotten. Who
-- calls without it notes none. A grace that was noted stays while the clause fails, and for a while after
-- (`met`); one begins when the clause failed first or began to bind, whichever is later. Where documents
-- came to bind the device since its last attestation and it proves the same again, it failed from then on.
--
-- A device gets its place in the list of statuses with its first attestation, or with its next one where it
-- has none yet.
--
-- A name that stands for another device answers `linked` and that device's name. With `p_linked_key`
-- the evidence named the device itself and not by this key: if the key is not known to be its own,
-- the answer is `link_needed`. Neither writes anything, the nonce included.
CREATE OR REPLACE FUNCTION record_attestation(
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
  p_event_id uuid,
  p_announced_verdict text,
  p_vouched boolean,
  p_linked_key text,
  p_graces jsonb DEFAULT '[]'
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
  is_new boolean,
  first_failed_at jsonb,
  graces jsonb,
  status_place integer
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
  v_graces jsonb := '{}';
  v_unmet text[] := ARRAY(SELECT jsonb_array_elements_text(p_failed_clauses));
  v_recent jsonb;
  v_place integer;
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
      NULL::text, v_linked, false, NULL::jsonb, NULL::jsonb, NULL::integer;
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
      SELECT coalesce(
        jsonb_object_agg(g ->> 'clause', jsonb_build_object('since', iso_time(p_attested_at))), '{}')
      INTO v_graces
      FROM jsonb_array_elements(p_graces) AS g WHERE g ->> 'state' = 'fails';
      v_place := next_status_place(p_ring);

      INSERT INTO device (
        device_id, key_kind, device_key_hash, enrolment, ring, attestation_id, attested_at,
        valid_until, issuer, policy_hash, confirmation_key, claims, verdict, reasons,
        first_failed_at, graces, unmet, announced_verdict, vouched, seen_on, status_place, created_at,
        updated_at
      ) VALUES (
        p_device_id, p_key_kind, p_device_key_hash,
        CASE WHEN p_enrolment_mode = 'approval' THEN 'pending' ELSE 'admitted' END, p_ring,
        p_attestation_id, p_attested_at, p_valid_until, p_issuer, p_policy_hash,
        p_confirmation_key, p_claims, p_verdict, p_reasons, v_first_failed_at, v_graces,
        v_unmet,
        CASE
          WHEN p_enrolment_mode = 'approval' THEN 'unknown'
          ELSE coalesce(p_announced_verdict, 'unknown')
        END,
        p_vouched, (p_attested_at AT TIME ZONE 'UTC')::date, v_place, p_attested_at, p_attested_at
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
        NULL::timestamptz, NULL::text, NULL::text, NULL::integer, NULL::text, v_linked, false,
        NULL::jsonb, NULL::jsonb, NULL::integer;
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

      SELECT coalesce(jsonb_object_agg(g.clause, CASE
        WHEN g.is_noted AND g.failing THEN g.note - 'met'
        WHEN g.is_noted AND g.resting THEN g.note
        WHEN g.is_noted THEN g.note || jsonb_build_object('met', iso_time(coalesce(g.met, p_attested_at)))
        ELSE jsonb_build_object('since', iso_time(greatest(g.bound, CASE
          WHEN d.first_failed_at ? g.clause THEN (d.first_failed_at ->> g.clause)::timestamptz
          WHEN g.bound >= d.attested_at AND d.claims = p_claims THEN g.bound
          ELSE p_attested_at
        END)))
      END), '{}')
      INTO v_graces
      FROM (
        SELECT n.*, n.note IS NOT NULL AND coalesce(n.anew <= n.since, true) AND (n.met IS NULL
          OR n.bound <= n.met AND p_attested_at < n.met + n.forgotten_after) AS is_noted
        FROM (
          SELECT e ->> 'clause' AS clause, e ->> 'state' = 'fails' AS failing,
            e ->> 'state' = 'rests' AS resting,
            (e ->> 'bound')::timestamptz AS bound, (e ->> 'anew')::timestamptz AS anew,
            make_interval(secs => (e ->> 'forgottenAfter')::double precision) AS forgotten_after,
            d.graces -> (e ->> 'clause') AS note,
            (d.graces -> (e ->> 'clause') ->> 'since')::timestamptz AS since,
            (d.graces -> (e ->> 'clause') ->> 'met')::timestamptz AS met
          FROM jsonb_array_elements(p_graces) AS e
        ) AS n
      ) AS g
      WHERE g.failing OR g.is_noted;

      v_place := CASE
        WHEN d.status_place IS NULL THEN next_status_place(d.ring) ELSE d.status_place
      END;
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
        graces = v_graces,
        unmet = v_unmet,
        announced_verdict = v_to_announce,
        vouched = p_vouched,
        seen_on = (p_attested_at AT TIME ZONE 'UTC')::date,
        archived_at = NULL,
        status_place = v_place,
        generation = x.generation + coalesce(x.confirmation_key <> p_confirmation_key, false)::integer,
        updated_at = p_attested_at
      WHERE x.device_id = p_device_id
      RETURNING generation, confirmation_key, first_failed_at, graces, status_place
        INTO d.generation, d.confirmation_key, d.first_failed_at, d.graces, d.status_place;
    END IF;

    INSERT INTO attestation (
      device_id, attestation_id, at, verdict, reasons, claims, digests, trace, issuer, policy_hash,
      evaluated_policy_hash, reference_values_hash, is_current, is_new
    ) VALUES (
      p_device_id, p_attestation_id, p_attested_at, p_verdict, p_reasons, p_claims, p_digests,
      p_trace, p_issuer, p_policy_hash, p_evaluated_policy_hash, p_reference_values_hash,
      v_current, v_created
    );

    v_recent := jsonb_build_array(jsonb_build_object('attestationId', p_attestation_id,
      'at', iso_time(p_attested_at), 'verdict', p_verdict, 'reasons', p_reasons));
    INSERT INTO recent_attestation AS r (device_id, attestations)
    VALUES (p_device_id, v_recent)
    ON CONFLICT (device_id) DO UPDATE
      SET attestations = jsonb_path_query_array(excluded.attestations || r.attestations, '$[0 to 4]');

    IF v_to_announce <> v_announced THEN
      PERFORM announce_change(p_device_id, p_event_id, p_attested_at, 'attestation', d.enrolment,
        d.enrolment, v_announced, v_to_announce, p_reasons, p_attestation_id);
    END IF;
  END IF;

  RETURN QUERY SELECT v_outcome, v_current, v_previous, d.enrolment, d.owner, d.entra_device_id,
    coalesce(d.labels, '{}'), d.ring, d.quarantined_at, d.quarantined_by, d.quarantine_reason,
    d.generation, d.confirmation_key, NULL::text, v_created, d.first_failed_at, d.graces,
    d.status_place;
END
$$;
