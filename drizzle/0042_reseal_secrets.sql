-- Puts what another master secret sealed in the place of what the one before had sealed:
-- `[{"name": …, "from": …, "to": …}]`, by kid and by name. What is not as it was in `from` any more
-- stays. Answers `unchanged` if that was everything.
CREATE FUNCTION reseal_secrets(
  p_signing_keys jsonb, p_secrets jsonb, p_at timestamptz, p_by text, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_keys integer;
  v_secrets integer;
BEGIN
  UPDATE signing_key k SET sealed_private_key = r."to"
  FROM jsonb_to_recordset(p_signing_keys) AS r("name" text, "from" text, "to" text)
  WHERE k.kid = r."name" AND k.sealed_private_key = r."from";
  GET DIAGNOSTICS v_keys = ROW_COUNT;
  UPDATE sealed_secret s SET sealed = r."to"
  FROM jsonb_to_recordset(p_secrets) AS r("name" text, "from" text, "to" text)
  WHERE s.name = r."name" AND s.sealed = r."from";
  GET DIAGNOSTICS v_secrets = ROW_COUNT;
  IF v_keys = 0 AND v_secrets = 0 THEN RETURN 'unchanged'; END IF;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, 'secrets.resealed',
    jsonb_build_object('signingKeys', v_keys, 'secrets', v_secrets));
  RETURN 'applied';
END
$$;
