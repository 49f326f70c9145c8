-- Removes observations that say nothing any more, and answers how many.
CREATE FUNCTION forget_verifier_observations(p_now timestamptz) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
  v_rows integer;
BEGIN
  DELETE FROM verifier_observation WHERE expires_at <= p_now;
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  RETURN v_rows;
END
$$;
