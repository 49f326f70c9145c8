-- Says how far the job has come; without `p_until` its holder gives it up.
CREATE FUNCTION yield_job(p_job text, p_holder text, p_position text, p_until timestamptz)
RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  UPDATE job_lease SET position = p_position, until = coalesce(p_until, '-infinity')
  WHERE job = p_job AND holder = p_holder;
  RETURN CASE WHEN FOUND THEN 'applied' ELSE 'superseded' END;
END
$$;
