-- Keeps a failed attempt of a proven key, and of these the newest `p_keep` of the device in each period,
-- which begins at `p_period`: once there are so many, a new one takes the slot of the oldest. The lock makes
-- concurrent attempts of one device queue, so that the bound holds at any moment.
-- Touches no trust record and creates no device. Answers false, and writes nothing, where nobody knows
-- the device and, without `p_vouched`, nobody vouches for its key either: keys cost nothing to make.
CREATE FUNCTION record_refusal(
  p_device_id text,
  p_attestation_id text,
  p_at timestamptz,
  p_period timestamptz,
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
  v_slot integer;
BEGIN
  IF NOT EXISTS (SELECT FROM device d WHERE d.device_id = p_device_id) THEN
    SELECT l.target_id INTO v_device_id FROM device_link l WHERE l.device_id = p_device_id;
    IF NOT FOUND THEN
      IF NOT p_vouched THEN RETURN false; END IF;
      v_device_id := p_device_id;
    END IF;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended(v_device_id, 0));
  SELECT count(*) INTO v_slot FROM refusal WHERE device_id = v_device_id AND period = p_period;
  IF v_slot >= p_keep THEN
    SELECT slot INTO v_slot FROM refusal WHERE device_id = v_device_id AND period = p_period
    ORDER BY at, attestation_id LIMIT 1;
  END IF;
  INSERT INTO refusal AS r (
    device_id, period, slot, attestation_id, at, stage, reasons, claims, digests, trace, issuer,
    policy_hash, reference_values_hash
  ) VALUES (
    v_device_id, p_period, v_slot, p_attestation_id, p_at, p_stage, p_reasons, p_claims, p_digests,
    p_trace, p_issuer, p_policy_hash, p_reference_values_hash
  )
  ON CONFLICT (device_id, period, slot) DO UPDATE SET
    attestation_id = excluded.attestation_id, at = excluded.at, stage = excluded.stage,
    reasons = excluded.reasons, claims = excluded.claims, digests = excluded.digests,
    trace = excluded.trace, issuer = excluded.issuer, policy_hash = excluded.policy_hash,
    reference_values_hash = excluded.reference_values_hash
  WHERE r.at <= excluded.at;
  RETURN true;
END
$$;
