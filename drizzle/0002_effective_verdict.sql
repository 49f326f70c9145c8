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
