-- Moves the revision of the control row, which every decision reads: what steers decisions is read
-- anew by every process with its next decision.
CREATE FUNCTION touch_control() RETURNS void LANGUAGE sql AS $$
  UPDATE control SET revision = revision + 1 WHERE id = 1
$$;
