CREATE TABLE "device_link" (
	"device_id" text collate "C" PRIMARY KEY NOT NULL,
	"target_id" text collate "C" NOT NULL,
	"linked_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE INDEX "device_link_target" ON "device_link" USING btree ("target_id");--> statement-breakpoint
ALTER TABLE "device" ADD COLUMN "linked_keys" text[] DEFAULT '{}'::text[] NOT NULL;--> statement-breakpoint
ALTER TABLE "device" DROP CONSTRAINT "device_key_kind";--> statement-breakpoint
ALTER TABLE "device" ADD CONSTRAINT "device_key_kind" CHECK ("device"."key_kind" in ('aik', 'cnf', 'tpm'));--> statement-breakpoint
ALTER TABLE "signing_key" DROP CONSTRAINT "signing_key_use";--> statement-breakpoint
ALTER TABLE "signing_key" ADD CONSTRAINT "signing_key_use" CHECK ("signing_key"."use" in ('attestation', 'device-token', 'receipt', 'enrolment'));
--> statement-breakpoint
-- A device has one row, under one id. Its other names (of its further attestation keys, of another
-- description of its TPM) stand in device_link and nowhere else: where a name has a row in `device`
-- it has none in `device_link`. Whoever makes a row of a name therefore asks for its link afterwards,
-- and whoever links a name makes its row first: on that row the two wait for each other.
--
-- Links a key to the TPM that evidence names it for, and makes everything that stands under any of
-- these names one device: quarantine, owner, labels, history, spent nonces. `p_names` are the names
-- besides the TPM's own, the key's first: `[{"deviceId", "keyKind", "keyHash"}]`. A ticket that was
-- used before answers `ticket_spent`. Nothing is written unless the answer is `linked`.
CREATE FUNCTION link_device(
  p_device_id text,
  p_key_kind text,
  p_device_key_hash text,
  p_ring integer,
  p_key_hash text,
  p_names jsonb,
  p_most_keys integer,
  p_enrolment_mode text,
  p_ticket_id text,
  p_ticket_expires_at timestamptz,
  p_detail jsonb,
  p_at timestamptz,
  p_audit_id uuid,
  p_event_id uuid
) RETURNS TABLE (outcome text, linked_device_id text, enrolment text, quarantined_at timestamptz)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  d device%ROWTYPE;
  n jsonb;
  v_all text[];
  v_id text;
  v_target text;
  v_created boolean;
  v_is_new boolean;
  v_merged text[] := '{}';
BEGIN
  -- In one order, so that two calls about the same names wait and never meet crosswise.
  SELECT array_agg(DISTINCT id) INTO v_all FROM (
    SELECT p_device_id AS id
    UNION ALL SELECT x ->> 'deviceId' FROM jsonb_array_elements(p_names) AS x
  ) AS named;
  FOR v_id IN SELECT unnest(v_all) ORDER BY 1 LOOP
    PERFORM pg_advisory_xact_lock(hashtextextended('link ' || v_id, 0));
  END LOOP;

  -- The device that one of the names already stands for, the TPM's own first.
  SELECT l.target_id INTO v_target
  FROM device_link l JOIN device x ON x.device_id = l.target_id
  WHERE l.device_id = ANY(v_all)
  ORDER BY l.device_id <> p_device_id, l.linked_at LIMIT 1;
  IF v_target IS NULL OR EXISTS (SELECT FROM device x WHERE x.device_id = p_device_id) THEN
    v_target := p_device_id;
  END IF;

  SELECT * INTO d FROM device x WHERE x.device_id = v_target;
  IF p_enrolment_mode = 'listed' AND d.device_id IS NULL
    AND NOT EXISTS (SELECT FROM device x WHERE x.device_id = ANY(v_all))
  THEN
    RETURN QUERY SELECT 'device_not_listed', NULL::text, NULL::text, NULL::timestamptz;
    RETURN;
  END IF;
  IF cardinality(d.linked_keys) >= p_most_keys AND NOT p_key_hash = ANY(d.linked_keys) THEN
    RETURN QUERY SELECT 'device_keys_exhausted', NULL::text, NULL::text, NULL::timestamptz;
    RETURN;
  END IF;
  IF p_ticket_id IS NOT NULL THEN
    INSERT INTO spent_nonce (device_id, nonce_id, expires_at)
    -- With the device, so that it is spent too once that has another name.
    VALUES (v_target, p_ticket_id, p_ticket_expires_at)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
      RETURN QUERY SELECT 'ticket_spent', NULL::text, NULL::text, NULL::timestamptz;
      RETURN;
    END IF;
  END IF;

  LOOP
    INSERT INTO device (
      device_id, key_kind, device_key_hash, enrolment, ring, created_at, updated_at
    ) VALUES (
      v_target, p_key_kind, p_device_key_hash,
      CASE p_enrolment_mode WHEN 'approval' THEN 'pending' ELSE 'admitted' END, p_ring, p_at, p_at
    ) ON CONFLICT (device_id) DO NOTHING;
    v_created := FOUND;
    -- Ours from here on. It is gone where a call about other names of it has just merged it: made anew
    -- it takes in the device that it was merged into, which is what its names point to now.
    PERFORM FROM device x WHERE x.device_id = v_target FOR UPDATE;
    EXIT WHEN FOUND;
  END LOOP;
  v_is_new := v_created;

  -- What pointed to a device that is being merged points on.
  SELECT array_agg(DISTINCT id) INTO v_all FROM (
    SELECT unnest(v_all) AS id
    UNION ALL SELECT l.target_id FROM device_link l WHERE l.device_id = ANY(v_all)
  ) AS named WHERE id <> v_target;
  -- Left over where the device that this name stood for is not kept any more.
  DELETE FROM device_link l WHERE l.device_id = v_target;
  FOR v_id IN SELECT unnest(coalesce(v_all, '{}')) ORDER BY 1 LOOP
    CONTINUE WHEN EXISTS (
      SELECT FROM device_link l WHERE l.device_id = v_id AND l.target_id = v_target);
    n := coalesce(
      (SELECT x FROM jsonb_array_elements(p_names) AS x WHERE x ->> 'deviceId' = v_id),
      '{"keyKind": "tpm"}');
    IF merge_device(v_id, v_target, n ->> 'keyKind', coalesce(n ->> 'keyHash', p_device_key_hash),
      p_ring, v_is_new, p_at, p_audit_id, p_event_id)
    THEN
      v_merged := v_merged || v_id;
      v_is_new := false;
    END IF;
  END LOOP;

  UPDATE device x SET linked_keys = x.linked_keys || p_key_hash, updated_at = p_at
  WHERE x.device_id = v_target AND NOT p_key_hash = ANY(x.linked_keys);
  SELECT * INTO STRICT d FROM device x WHERE x.device_id = v_target;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES (v_target, p_audit_id, p_at, v_target, 'device.linked',
    p_detail || jsonb_build_object('key', p_key_hash, 'names', to_jsonb(coalesce(v_all, '{}')),
      'merged', to_jsonb(v_merged), 'created', v_created));
  INSERT INTO outbox (device_id, event_id, type, payload, created_at, next_attempt_at)
  VALUES (v_target, p_event_id, 'device-linked',
    jsonb_build_object('at', iso_time(p_at), 'key', p_key_hash, 'names', to_jsonb(coalesce(v_all, '{}')),
      'merged', to_jsonb(v_merged)), p_at, p_at);
  RETURN QUERY SELECT 'linked', v_target, d.enrolment, d.quarantined_at;
END
$$;
--> statement-breakpoint
-- Makes `p_device_id` a name of the device `p_target_id`, and answers whether a device stood under it.
-- What an administrator said of either holds for both: a quarantine, an owner, labels, an admission.
-- Of the two last attestations the newer one counts; a clause fails since it first failed for either.
CREATE FUNCTION merge_device(
  p_device_id text, p_target_id text, p_key_kind text, p_key_hash text, p_ring integer,
  p_target_is_new boolean, p_at timestamptz, p_audit_id uuid, p_event_id uuid
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  x device%ROWTYPE;
  t device%ROWTYPE;
  v_was_there boolean;
  v_newer boolean;
BEGIN
  INSERT INTO device (
    device_id, key_kind, device_key_hash, enrolment, ring, created_at, updated_at
  ) VALUES (p_device_id, p_key_kind, p_key_hash, 'pending', p_ring, p_at, p_at)
  ON CONFLICT (device_id) DO NOTHING;
  v_was_there := NOT FOUND;
  SELECT * INTO STRICT x FROM device WHERE device_id = p_device_id FOR UPDATE;
  SELECT * INTO STRICT t FROM device WHERE device_id = p_target_id FOR UPDATE;

  IF v_was_there THEN
    v_newer := x.attested_at IS NOT NULL
      AND (t.attested_at IS NULL OR t.attested_at < x.attested_at);
    UPDATE device SET
      ring = CASE WHEN p_target_is_new THEN x.ring ELSE t.ring END,
      enrolment = CASE
        WHEN p_target_is_new THEN x.enrolment
        WHEN x.enrolment = 'admitted' THEN 'admitted'
        ELSE t.enrolment
      END,
      owner = coalesce(t.owner, x.owner),
      entra_device_id = coalesce(t.entra_device_id, x.entra_device_id),
      labels = ARRAY(SELECT DISTINCT unnest(t.labels || x.labels) ORDER BY 1),
      owner_folded = coalesce(t.owner_folded, x.owner_folded),
      entra_device_id_folded = coalesce(t.entra_device_id_folded, x.entra_device_id_folded),
      labels_folded = ARRAY(
        SELECT DISTINCT unnest(t.labels_folded || x.labels_folded) ORDER BY 1
      ),
      linked_keys = ARRAY(SELECT DISTINCT unnest(t.linked_keys || x.linked_keys) ORDER BY 1),
      quarantined_at = coalesce(t.quarantined_at, x.quarantined_at),
      quarantined_by = coalesce(t.quarantined_by, x.quarantined_by),
      quarantine_reason = coalesce(t.quarantine_reason, x.quarantine_reason),
      attestation_id = CASE WHEN v_newer THEN x.attestation_id ELSE t.attestation_id END,
      attested_at = CASE WHEN v_newer THEN x.attested_at ELSE t.attested_at END,
      valid_until = CASE WHEN v_newer THEN x.valid_until ELSE t.valid_until END,
      issuer = CASE WHEN v_newer THEN x.issuer ELSE t.issuer END,
      policy_hash = CASE WHEN v_newer THEN x.policy_hash ELSE t.policy_hash END,
      confirmation_key = CASE WHEN v_newer THEN x.confirmation_key ELSE t.confirmation_key END,
      claims = CASE WHEN v_newer THEN x.claims ELSE t.claims END,
      verdict = CASE WHEN v_newer THEN x.verdict ELSE t.verdict END,
      reasons = CASE WHEN v_newer THEN x.reasons ELSE t.reasons END,
      first_failed_at = coalesce((
        SELECT jsonb_object_agg(clause, since) FROM (
          SELECT key AS clause, min(value) AS since FROM (
            SELECT * FROM jsonb_each_text(t.first_failed_at)
            UNION ALL SELECT * FROM jsonb_each_text(x.first_failed_at)
          ) AS every GROUP BY key
        ) AS earliest), '{}'),
      vouched = CASE WHEN v_newer THEN x.vouched ELSE t.vouched END,
      seen_on = greatest(t.seen_on, x.seen_on),
      archived_at = NULL,
      -- Device tokens of either end: the device attests, and gets one in its own name.
      generation = greatest(t.generation, x.generation) + 1,
      announced_verdict = CASE
        WHEN t.quarantined_at IS NULL AND x.quarantined_at IS NOT NULL THEN 'quarantined'
        ELSE t.announced_verdict
      END,
      created_at = least(t.created_at, x.created_at),
      updated_at = p_at
    WHERE device_id = p_target_id;

    WITH moved AS (DELETE FROM attestation WHERE device_id = p_device_id RETURNING *)
    INSERT INTO attestation (
      device_id, attestation_id, at, outcome, stage, verdict, reasons, claims, digests, trace,
      issuer, policy_hash, evaluated_policy_hash, reference_values_hash
    ) SELECT p_target_id, attestation_id, at, outcome, stage, verdict, reasons, claims, digests,
      trace, issuer, policy_hash, evaluated_policy_hash, reference_values_hash
    FROM moved ON CONFLICT DO NOTHING;
    WITH moved AS (DELETE FROM spent_nonce WHERE device_id = p_device_id RETURNING *)
    INSERT INTO spent_nonce (device_id, nonce_id, expires_at)
    SELECT p_target_id, nonce_id, expires_at FROM moved ON CONFLICT DO NOTHING;

    -- What an administrator excepted the device from holds for it under its other name.
    UPDATE override SET target = p_target_id
    WHERE target_kind = 'device' AND target = p_device_id AND ended_at IS NULL;
    IF FOUND THEN PERFORM touch_control(); END IF;

    INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
    VALUES (p_device_id, p_audit_id, p_at, p_target_id, 'device.merged',
      jsonb_build_object('into', p_target_id, 'quarantined', x.quarantined_at IS NOT NULL));
    -- Others know this name: whatever they were told of it counts no more.
    IF x.announced_verdict <> 'unknown' THEN
      PERFORM announce_change(p_device_id, p_event_id, p_at, 'merged', x.enrolment, x.enrolment,
        x.announced_verdict, 'unknown', '[]', NULL);
    END IF;
    IF t.quarantined_at IS NULL AND x.quarantined_at IS NOT NULL THEN
      PERFORM announce_change(p_target_id, gen_random_uuid(), p_at, 'merged', t.enrolment,
        t.enrolment, t.announced_verdict, 'quarantined', '[]', t.attestation_id);
    END IF;
  END IF;

  DELETE FROM device WHERE device_id = p_device_id;
  INSERT INTO device_link AS l (device_id, target_id, linked_at)
  VALUES (p_device_id, p_target_id, p_at)
  ON CONFLICT (device_id) DO UPDATE SET target_id = excluded.target_id
    WHERE l.target_id <> excluded.target_id;
  UPDATE device_link SET target_id = p_target_id WHERE target_id = p_device_id;
  RETURN v_was_there;
END
$$;
