-- Ends a signing key at once, whatever clocks say, and destroys its private half. Answers `applied`,
-- `unchanged` (it was retired) or `key_unknown`.
--
-- Some key of the use signs from the same moment on: the one that signs anyway; else one that was
-- announced, which begins early; else the one before, if it was still to be relieved by this one; else
-- `p_kid`, which is kept for that only.
CREATE FUNCTION retire_signing_key(
  p_retired_kid text, p_kid text, p_use text, p_algorithm text, p_public_jwk jsonb,
  p_certificate text, p_sealed_private_key text, p_at timestamptz, p_by text, p_reason text,
  p_audit_id uuid, p_event_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  k signing_key%ROWTYPE;
  v_newest signing_key%ROWTYPE;
  v_signer text;
BEGIN
  PERFORM 1 FROM signing_key x WHERE x.use = p_use ORDER BY x.generation FOR UPDATE;
  SELECT * INTO k FROM signing_key x WHERE x.kid = p_retired_kid AND x.use = p_use;
  IF NOT FOUND THEN RETURN 'key_unknown'; END IF;
  IF k.retired_at IS NOT NULL THEN RETURN 'unchanged'; END IF;
  UPDATE signing_key SET retired_at = p_at, sealed_private_key = NULL WHERE kid = k.kid;

  SELECT * INTO v_newest FROM signing_key x
  WHERE x.use = p_use AND x.retired_at IS NULL
  ORDER BY x.generation DESC LIMIT 1;
  IF v_newest.kid IS NOT NULL AND v_newest.generation < k.generation
    AND v_newest.signs_until > p_at
  THEN
    UPDATE signing_key SET signs_until = NULL, accepted_until = NULL WHERE kid = v_newest.kid;
  END IF;
  SELECT x.kid INTO v_signer FROM signing_key x
  WHERE x.use = p_use AND x.retired_at IS NULL AND x.signs_from <= p_at
    AND (x.signs_until IS NULL OR x.signs_until > p_at)
  LIMIT 1;
  IF v_signer IS NULL THEN
    UPDATE signing_key SET signs_from = p_at
    WHERE kid = v_newest.kid AND signs_from > p_at
    RETURNING kid INTO v_signer;
  END IF;
  IF v_signer IS NULL THEN
    INSERT INTO signing_key (kid, use, generation, algorithm, public_jwk, certificate,
      sealed_private_key, created_at, signs_from)
    SELECT p_kid, p_use, max(x.generation) + 1, p_algorithm, p_public_jwk, p_certificate,
      p_sealed_private_key, p_at, p_at
    FROM signing_key x WHERE x.use = p_use
    RETURNING kid INTO v_signer;
  END IF;

  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, 'signing-key.retired',
    jsonb_build_object('kid', k.kid, 'use', p_use, 'reason', p_reason, 'signingKid', v_signer));
  INSERT INTO outbox (device_id, event_id, type, payload, created_at, next_attempt_at)
  VALUES ('service', p_event_id, 'signing-key-retired',
    jsonb_build_object('at', iso_time(p_at), 'kid', k.kid, 'use', p_use, 'signingKid', v_signer),
    p_at, p_at);
  RETURN 'applied';
END
$$;
