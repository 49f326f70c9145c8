-- Keeps the certificate of an issuer under which a path ended at an anchor, for all processes. What has
-- expired makes room, and what was kept longest, if there are too many.
CREATE FUNCTION keep_issuer_certificate(
  p_fingerprint text, p_key_id text, p_name_hash text, p_certificate text, p_anchor text,
  p_valid_until timestamptz, p_at timestamptz, p_most int, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_oldest timestamptz;
BEGIN
  INSERT INTO issuer_certificate
    (fingerprint, key_id, name_hash, certificate, anchor, valid_until, kept_at)
  VALUES (p_fingerprint, p_key_id, p_name_hash, p_certificate, p_anchor, p_valid_until, p_at)
  ON CONFLICT (fingerprint) DO NOTHING;
  IF NOT FOUND THEN RETURN 'unchanged'; END IF;
  DELETE FROM issuer_certificate WHERE valid_until <= p_at AND fingerprint <> p_fingerprint;
  SELECT kept_at INTO v_oldest FROM issuer_certificate
  ORDER BY kept_at DESC, fingerprint DESC OFFSET p_most LIMIT 1;
  IF FOUND THEN
    DELETE FROM issuer_certificate WHERE kept_at <= v_oldest AND fingerprint <> p_fingerprint;
  END IF;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, 'countersign', 'issuer-certificate.kept',
    jsonb_build_object('fingerprint', p_fingerprint, 'anchor', p_anchor));
  RETURN 'applied';
END
$$;
