-- Keeps the next signing key of a use, unless `p_generation` is not the next one (`superseded`) or the
-- newest key that was not retired does not sign yet (`under_way`). That one signs until the new one
-- does, and is accepted until `p_previous_accepted_until`. The first key of a use is no event.
--
-- Private halves of keys that ended a month ago are destroyed.
CREATE FUNCTION publish_signing_key(
  p_kid text, p_use text, p_algorithm text, p_public_jwk jsonb, p_certificate text,
  p_sealed_private_key text, p_generation integer, p_signs_from timestamptz,
  p_previous_accepted_until timestamptz, p_at timestamptz, p_by text, p_audit_id uuid,
  p_event_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  k signing_key%ROWTYPE;
  v_generation integer;
BEGIN
  -- In the same order as whoever retires one, so that neither waits for the other in a circle.
  PERFORM 1 FROM signing_key x WHERE x.use = p_use ORDER BY x.generation FOR UPDATE;
  SELECT max(x.generation) INTO v_generation FROM signing_key x WHERE x.use = p_use;
  IF coalesce(v_generation, 0) <> p_generation - 1 THEN RETURN 'superseded'; END IF;
  SELECT * INTO k FROM signing_key x
  WHERE x.use = p_use AND x.retired_at IS NULL
  ORDER BY x.generation DESC LIMIT 1;
  IF k.signs_from > p_at THEN RETURN 'under_way'; END IF;

  INSERT INTO signing_key (kid, use, generation, algorithm, public_jwk, certificate,
    sealed_private_key, created_at, signs_from)
  VALUES (p_kid, p_use, p_generation, p_algorithm, p_public_jwk, p_certificate,
    p_sealed_private_key, p_at, p_signs_from)
  ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN 'superseded'; END IF;
  UPDATE signing_key SET signs_until = p_signs_from, accepted_until = p_previous_accepted_until
  WHERE kid = k.kid;
  UPDATE signing_key SET sealed_private_key = NULL
  WHERE use = p_use AND accepted_until < p_at - interval '30 days' AND kid <> p_kid;

  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, 'signing-key.published',
    jsonb_build_object('kid', p_kid, 'use', p_use, 'signsFrom', iso_time(p_signs_from),
      'previousKid', k.kid, 'previousAcceptedUntil', CASE
        WHEN k.kid IS NOT NULL THEN iso_time(p_previous_accepted_until)
      END));
  IF k.kid IS NOT NULL THEN
    INSERT INTO outbox (device_id, event_id, type, payload, created_at, next_attempt_at)
    VALUES ('service', p_event_id, 'signing-key-published',
      jsonb_build_object('at', iso_time(p_at), 'kid', p_kid, 'use', p_use,
        'signsFrom', iso_time(p_signs_from)),
      p_at, p_at);
  END IF;
  RETURN 'applied';
END
$$;
