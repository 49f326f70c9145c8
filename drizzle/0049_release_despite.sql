-- Whether `p_despite` names the rollout of this document that was the last to halt ('' stands for none),
-- or is null, and so does not matter. Notes on that rollout who releases the document all the same.
CREATE FUNCTION release_despite(
  p_kind text, p_hash text, p_despite text, p_author text, p_reason text, p_at timestamptz
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_halted text;
BEGIN
  IF p_despite IS NULL THEN RETURN true; END IF;
  SELECT rollout_id INTO v_halted FROM rollout
  WHERE kind = p_kind AND to_hash = p_hash AND state = 'halted'
  ORDER BY updated_at DESC, rollout_id DESC LIMIT 1;
  IF coalesce(v_halted, '') <> p_despite THEN RETURN false; END IF;
  UPDATE rollout
  SET despite = jsonb_build_object('by', p_author, 'reason', p_reason, 'at', iso_time(p_at))
  WHERE rollout_id = v_halted;
  RETURN true;
END
$$;
