-- A device has one row, under one id. Its other names (of its further attestation keys, of another
-- description of its TPM) stand in device_link and nowhere else: where a name has a row in `device`
-- it has none in `device_link`. Whoever makes a row of a name therefore asks for its link afterwards,
-- and whoever links a name makes its row first: on that row the two wait for each other.
--
-- Links a key to the TPM that evidence names it for, and makes everything that stands under any of
-- these names one device: quarantine, owner, labels, spent nonces. Its history stays under the name it
-- came by, and is read under all of them. `p_names` are the names besides the TPM's own, the key's first: `[{"deviceId", "keyKind", "keyHash"}]`. A ticket that was
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
      CASE WHEN p_enrolment_mode = 'approval' THEN 'pending' ELSE 'admitted' END, p_ring, p_at,
      p_at
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
