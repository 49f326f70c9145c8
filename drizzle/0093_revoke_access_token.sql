-- Ends one access token of a client before its time. What is remembered of it is in the row of the client,
-- until the token would have ended anyway. Past `p_most` of them all tokens of the client end instead, so that
-- the row stays small. Answers `applied`, `unchanged` (it was revoked, or is of a generation that has ended) or
-- `client_unknown`.
CREATE OR REPLACE FUNCTION revoke_access_token(
  p_client_id text, p_token_id text, p_generation integer, p_expires_at timestamptz, p_most integer,
  p_at timestamptz, p_by text, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_revoked jsonb;
  v_generation integer;
  v_all boolean;
BEGIN
  SELECT revoked_tokens, generation INTO v_revoked, v_generation
  FROM client WHERE client_id = p_client_id FOR UPDATE;
  IF NOT FOUND THEN RETURN 'client_unknown'; END IF;
  IF v_revoked ? p_token_id OR v_generation <> p_generation THEN RETURN 'unchanged'; END IF;
  SELECT coalesce(jsonb_object_agg(token.key, token.value), '{}'::jsonb) INTO v_revoked
  FROM jsonb_each_text(v_revoked) AS token WHERE token.value::timestamptz > p_at;
  v_all := (SELECT count(*) FROM jsonb_object_keys(v_revoked)) >= p_most;
  IF v_all THEN
    v_revoked := '{}'::jsonb;
    v_generation := v_generation + 1;
  ELSE
    v_revoked := v_revoked || jsonb_build_object(p_token_id, iso_time(p_expires_at));
  END IF;
  UPDATE client SET revoked_tokens = v_revoked, generation = v_generation
  WHERE client_id = p_client_id;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, 'client.token-revoked',
    jsonb_build_object('clientId', p_client_id, 'tokenId', p_token_id, 'allTokens', v_all));
  RETURN 'applied';
END
$$;
