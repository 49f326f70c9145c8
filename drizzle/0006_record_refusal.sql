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
