-- Makes `p_device_id` a name of the device `p_target_id`, and answers whether a device stood under it.
-- What an administrator said of either holds for both: a quarantine, an owner, labels, names, an admission.
-- Of the two last attestations the newer one counts; a clause fails since it first failed for either,
-- and of two graces the one that began first goes on. Its place in the list of statuses is given up.
CREATE OR REPLACE FUNCTION merge_device(
  p_device_id text, p_target_id text, p_key_kind text, p_key_hash text, p_ring integer,
  p_target_is_new boolean, p_at timestamptz, p_audit_id uuid, p_event_id uuid
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  x device%ROWTYPE;
  t device%ROWTYPE;
  v_was_there boolean;
  v_newer boolean;
  v_recent jsonb;
  v_all jsonb;
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
      name = coalesce(t.name, x.name),
      name_folded = coalesce(t.name_folded, x.name_folded),
      serial = coalesce(t.serial, x.serial),
      serial_folded = coalesce(t.serial_folded, x.serial_folded),
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
      graces = coalesce((
        SELECT jsonb_object_agg(clause, note) FROM (
          SELECT DISTINCT ON (key) key AS clause, value AS note FROM (
            SELECT * FROM jsonb_each(t.graces) UNION ALL SELECT * FROM jsonb_each(x.graces)
          ) AS every ORDER BY key, value ->> 'since'
        ) AS earliest), '{}'),
      unmet = CASE WHEN v_newer THEN x.unmet ELSE t.unmet END,
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

    DELETE FROM recent_attestation WHERE device_id = p_device_id RETURNING attestations INTO v_recent;
    IF FOUND THEN
      SELECT v_recent || attestations INTO v_all FROM recent_attestation
      WHERE device_id = p_target_id;
      SELECT jsonb_agg(a ORDER BY a ->> 'at' DESC) INTO v_recent
      FROM jsonb_array_elements(coalesce(v_all, v_recent)) AS a;
      v_recent := jsonb_path_query_array(v_recent, '$[0 to 4]');
      INSERT INTO recent_attestation (device_id, attestations) VALUES (p_target_id, v_recent)
      ON CONFLICT (device_id) DO UPDATE SET attestations = excluded.attestations;
    END IF;
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

  IF x.status_place IS NOT NULL THEN
    INSERT INTO retired_place (place) VALUES (x.status_place) ON CONFLICT DO NOTHING;
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
