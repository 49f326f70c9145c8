-- Every change that touches more than one table is one call of one of these functions, so that it
-- happens whole or not at all and costs one round trip. They decide nothing about trust: what to
-- write comes in as arguments. The device id is the first argument of each that concerns a device.

-- Attestations rewrite the row of a device all the time and change no indexed column: with room on
-- the page the new version stays there and no index is touched.
ALTER TABLE "device" SET (fillfactor = 80);
--> statement-breakpoint
ALTER TABLE "spent_nonce" SET (autovacuum_vacuum_scale_factor = 0.05);
--> statement-breakpoint
-- The verdict that counts at a point in time: an administrator's word first, then time, then what
-- the last accepted attestation was recorded as.
CREATE FUNCTION effective_verdict(
  verdict text, valid_until timestamptz, quarantined_at timestamptz, at timestamptz
) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN quarantined_at IS NOT NULL THEN 'quarantined'
    WHEN verdict IS NULL THEN 'unknown'
    WHEN valid_until <= at THEN 'stale'
    ELSE verdict
  END
$$;
--> statement-breakpoint
-- CAEP knows two states; a device that nobody admitted yet is in the worse one.
CREATE FUNCTION compliance_status(verdict text, enrolment text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN verdict = 'trusted' AND enrolment = 'admitted' THEN 'compliant'
    ELSE 'not-compliant'
  END
$$;
--> statement-breakpoint
CREATE FUNCTION iso_time(at timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;
--> statement-breakpoint
-- Puts the event that tells others about a device into the outbox; it leaves with its cause.
CREATE FUNCTION announce_change(
  p_device_id text,
  p_event_id uuid,
  p_at timestamptz,
  p_cause text,
  p_previous_enrolment text,
  p_enrolment text,
  p_previous_verdict text,
  p_verdict text,
  p_reasons jsonb,
  p_attestation_id text
) RETURNS void LANGUAGE sql AS $$
  INSERT INTO outbox (device_id, event_id, type, payload, created_at, next_attempt_at)
  VALUES (p_device_id, p_event_id, 'device-compliance-change',
    jsonb_build_object(
      'at', iso_time(p_at),
      'cause', p_cause,
      'previousStatus', compliance_status(p_previous_verdict, p_previous_enrolment),
      'currentStatus', compliance_status(p_verdict, p_enrolment),
      'previousVerdict', p_previous_verdict,
      'currentVerdict', p_verdict,
      'reasons', coalesce(p_reasons, '[]'),
      'attestationId', p_attestation_id),
    p_at, p_at)
$$;
--> statement-breakpoint
-- Keeps a failed attempt of a proven key, and of these only the newest `p_keep` of the device. The
-- lock makes concurrent attempts of one device queue, so that the bound holds at any moment.
-- Touches no trust record and creates no device. Answers false, and writes nothing, where nobody knows
-- the device and, without `p_vouched`, nobody vouches for its key either: keys cost nothing to make.
CREATE FUNCTION record_refusal(
  p_device_id text,
  p_attestation_id text,
  p_at timestamptz,
  p_stage text,
  p_reasons jsonb,
  p_claims jsonb,
  p_digests jsonb,
  p_trace jsonb,
  p_issuer text,
  p_policy_hash text,
  p_reference_values_hash text,
  p_vouched boolean,
  p_keep integer
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_device_id text := p_device_id;
BEGIN
  IF NOT EXISTS (SELECT FROM device d WHERE d.device_id = p_device_id) THEN
    SELECT l.target_id INTO v_device_id FROM device_link l WHERE l.device_id = p_device_id;
    IF NOT FOUND THEN
      IF NOT p_vouched THEN RETURN false; END IF;
      v_device_id := p_device_id;
    END IF;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended(v_device_id, 0));
  INSERT INTO attestation (
    device_id, attestation_id, at, outcome, stage, reasons, claims, digests, trace, issuer,
    policy_hash, reference_values_hash
  ) VALUES (
    v_device_id, p_attestation_id, p_at, 'refused', p_stage, p_reasons, p_claims, p_digests,
    p_trace, p_issuer, p_policy_hash, p_reference_values_hash
  );
  DELETE FROM attestation a
  USING (
    SELECT attestation_id FROM attestation
    WHERE device_id = v_device_id AND outcome = 'refused'
    ORDER BY at DESC, attestation_id DESC
    OFFSET p_keep
  ) AS surplus
  WHERE a.device_id = v_device_id AND a.attestation_id = surplus.attestation_id;
  RETURN true;
END
$$;
--> statement-breakpoint
-- Puts a known key on the list before its first attestation. `p_folded` has its owner, Entra id and
-- labels as they are searched by.
CREATE FUNCTION enrol_device(
  p_device_id text, p_key_kind text, p_device_key_hash text, p_ring integer, p_owner text,
  p_entra_device_id text, p_labels jsonb, p_folded jsonb, p_at timestamptz, p_by text,
  p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO device (
    device_id, key_kind, device_key_hash, enrolment, ring, owner, entra_device_id, labels,
    owner_folded, entra_device_id_folded, labels_folded, created_at, updated_at
  ) VALUES (
    p_device_id, p_key_kind, p_device_key_hash, 'admitted', p_ring, p_owner, p_entra_device_id,
    ARRAY(SELECT jsonb_array_elements_text(p_labels)), p_folded ->> 'owner',
    p_folded ->> 'entraDeviceId', ARRAY(SELECT jsonb_array_elements_text(p_folded -> 'labels')),
    p_at, p_at
  )
  ON CONFLICT (device_id) DO NOTHING;
  IF NOT FOUND THEN RETURN 'unchanged'; END IF;
  -- Asked for once the row is there, because whoever links this name waits for it.
  IF EXISTS (SELECT FROM device_link WHERE device_id = p_device_id) THEN
    DELETE FROM device WHERE device_id = p_device_id;
    RETURN 'unchanged';
  END IF;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES (p_device_id, p_audit_id, p_at, p_by, 'device.enrolled',
    jsonb_build_object('owner', p_owner, 'entraDeviceId', p_entra_device_id, 'labels', p_labels));
  RETURN 'applied';
END
$$;
--> statement-breakpoint
-- `p_changes` holds any of `owner`, `entraDeviceId` and `labels`; what it lacks stays as it is.
-- `p_folded` holds the same members as they are searched by.
CREATE FUNCTION set_device_attributes(
  p_device_id text, p_changes jsonb, p_folded jsonb, p_at timestamptz, p_by text, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  d device%ROWTYPE;
  v_owner text;
  v_entra_device_id text;
  v_labels text[];
BEGIN
  SELECT * INTO d FROM device WHERE device_id = p_device_id FOR UPDATE;
  IF NOT FOUND THEN RETURN 'device_unknown'; END IF;

  v_owner := CASE WHEN p_changes ? 'owner' THEN p_changes ->> 'owner' ELSE d.owner END;
  v_entra_device_id := CASE
    WHEN p_changes ? 'entraDeviceId' THEN p_changes ->> 'entraDeviceId'
    ELSE d.entra_device_id
  END;
  v_labels := CASE
    WHEN p_changes ? 'labels' THEN ARRAY(SELECT jsonb_array_elements_text(p_changes -> 'labels'))
    ELSE d.labels
  END;
  IF v_owner IS NOT DISTINCT FROM d.owner
    AND v_entra_device_id IS NOT DISTINCT FROM d.entra_device_id
    AND v_labels = d.labels
  THEN
    RETURN 'unchanged';
  END IF;

  UPDATE device
  SET owner = v_owner, entra_device_id = v_entra_device_id, labels = v_labels,
    owner_folded = CASE
      WHEN p_folded ? 'owner' THEN p_folded ->> 'owner' ELSE d.owner_folded
    END,
    entra_device_id_folded = CASE
      WHEN p_folded ? 'entraDeviceId' THEN p_folded ->> 'entraDeviceId'
      ELSE d.entra_device_id_folded
    END,
    labels_folded = CASE
      WHEN p_folded ? 'labels' THEN ARRAY(SELECT jsonb_array_elements_text(p_folded -> 'labels'))
      ELSE d.labels_folded
    END,
    updated_at = p_at
  WHERE device_id = p_device_id;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES (p_device_id, p_audit_id, p_at, p_by, 'device.attributes-set',
    jsonb_build_object('before', jsonb_build_object('owner', d.owner,
      'entraDeviceId', d.entra_device_id, 'labels', to_jsonb(d.labels)), 'changes', p_changes));
  RETURN 'applied';
END
$$;
--> statement-breakpoint
CREATE FUNCTION create_client(
  p_client_id text, p_name text, p_secret_hash text, p_scopes jsonb, p_at timestamptz, p_by text,
  p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO client (client_id, name, secret_hash, scopes, created_at)
  VALUES (p_client_id, p_name, p_secret_hash, ARRAY(SELECT jsonb_array_elements_text(p_scopes)),
    p_at);
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, 'client.created',
    jsonb_build_object('clientId', p_client_id, 'name', p_name, 'scopes', p_scopes));
  RETURN 'applied';
END
$$;
--> statement-breakpoint
CREATE FUNCTION disable_client(
  p_client_id text, p_at timestamptz, p_by text, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  UPDATE client SET disabled_at = p_at WHERE client_id = p_client_id AND disabled_at IS NULL;
  IF NOT FOUND THEN
    RETURN CASE
      WHEN EXISTS (SELECT FROM client WHERE client_id = p_client_id) THEN 'unchanged'
      ELSE 'client_unknown'
    END;
  END IF;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, 'client.disabled',
    jsonb_build_object('clientId', p_client_id));
  RETURN 'applied';
END
$$;
--> statement-breakpoint
-- Keeps the document and moves the pointer of its kind to it. With `p_only_if_none` an existing
-- pointer stays: that is how the first start brings its baseline, however many processes start.
CREATE FUNCTION activate_document(
  p_kind text, p_hash text, p_body jsonb, p_author text, p_reason text, p_at timestamptz,
  p_only_if_none boolean, p_audit_id uuid, p_event_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_previous text;
BEGIN
  SELECT hash INTO v_previous FROM active_document WHERE kind = p_kind FOR UPDATE;
  IF v_previous = p_hash OR (v_previous IS NOT NULL AND p_only_if_none) THEN
    RETURN 'unchanged';
  END IF;

  IF p_only_if_none THEN
    INSERT INTO active_document (kind, hash, activated_at, activated_by)
    VALUES (p_kind, p_hash, p_at, p_author)
    ON CONFLICT (kind) DO NOTHING;
  ELSE
    INSERT INTO active_document AS a (kind, hash, activated_at, activated_by)
    VALUES (p_kind, p_hash, p_at, p_author)
    ON CONFLICT (kind) DO UPDATE
      SET hash = excluded.hash, activated_at = excluded.activated_at,
        activated_by = excluded.activated_by
      WHERE a.hash <> excluded.hash;
  END IF;
  IF NOT FOUND THEN RETURN 'unchanged'; END IF;

  INSERT INTO document (kind, hash, body, author, reason, created_at)
  VALUES (p_kind, p_hash, p_body, p_author, p_reason, p_at)
  ON CONFLICT DO NOTHING;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_author, 'document.activated',
    jsonb_build_object('kind', p_kind, 'hash', p_hash, 'previousHash', v_previous,
      'reason', p_reason));
  INSERT INTO outbox (device_id, event_id, type, payload, created_at, next_attempt_at)
  VALUES ('service', p_event_id, 'document-activated',
    jsonb_build_object('at', iso_time(p_at), 'kind', p_kind, 'hash', p_hash,
      'previousHash', v_previous),
    p_at, p_at);
  RETURN 'applied';
END
$$;
