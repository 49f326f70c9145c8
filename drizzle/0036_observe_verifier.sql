-- What one process found last about a verifier, and since when without a change: a row for each
-- process, however often it looks. A row that has expired says nothing, and counts no longer.
CREATE FUNCTION observe_verifier(
  p_issuer text, p_sign text, p_reporter text, p_failure text, p_at timestamptz,
  p_expires_at timestamptz
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO verifier_observation AS o (issuer, sign, reporter, failure, since, rounds, at,
    expires_at)
  VALUES (p_issuer, p_sign, p_reporter, p_failure, p_at, 1, p_at, p_expires_at)
  ON CONFLICT (issuer, sign, reporter) DO UPDATE SET
    failure = excluded.failure, at = excluded.at, expires_at = excluded.expires_at,
    since = CASE
      WHEN o.expires_at > excluded.at AND (o.failure IS NULL) = (excluded.failure IS NULL)
      THEN o.since ELSE excluded.since END,
    rounds = CASE
      WHEN o.expires_at > excluded.at AND (o.failure IS NULL) = (excluded.failure IS NULL)
      THEN o.rounds + 1 ELSE 1 END
  WHERE o.at <= excluded.at;
  RETURN CASE WHEN FOUND THEN 'applied' ELSE 'superseded' END;
END
$$;
