-- What a check found, of the revision that it looked at. No decision depends on it.
CREATE FUNCTION record_rollout_health(p_rollout_id text, p_revision integer, p_health jsonb)
RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  UPDATE rollout SET health = p_health
  WHERE rollout_id = p_rollout_id AND revision = p_revision AND state IN ('running', 'paused');
  RETURN CASE WHEN FOUND THEN 'applied' ELSE 'superseded' END;
END
$$;
