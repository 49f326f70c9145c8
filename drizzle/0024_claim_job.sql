-- Takes a job for a while, or keeps it. NULL: somebody else has it.
CREATE FUNCTION claim_job(p_job text, p_holder text, p_now timestamptz, p_until timestamptz)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_position text;
BEGIN
  INSERT INTO job_lease AS l (job, holder, until) VALUES (p_job, p_holder, p_until)
  ON CONFLICT (job) DO UPDATE SET holder = p_holder, until = p_until
    WHERE l.until <= p_now OR l.holder = p_holder
  RETURNING position INTO v_position;
  RETURN v_position;
END
$$;
