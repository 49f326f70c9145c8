-- A reporter repeats the whole of what it saw, so that it may be told twice.
CREATE FUNCTION observe_rollout(
  p_rollout_id text, p_revision integer, p_reporter text, p_decisions integer,
  p_newly_denied integer, p_examples jsonb, p_causes jsonb, p_at timestamptz
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO rollout_observation AS o (rollout_id, revision, reporter, decisions, newly_denied,
    examples, causes, at)
  SELECT p_rollout_id, p_revision, p_reporter, p_decisions, p_newly_denied, p_examples, p_causes,
    p_at
  FROM rollout r WHERE r.rollout_id = p_rollout_id AND r.revision = p_revision
  ON CONFLICT (rollout_id, revision, reporter) DO UPDATE SET
    decisions = excluded.decisions, newly_denied = excluded.newly_denied,
    examples = excluded.examples, causes = excluded.causes, at = excluded.at
  WHERE o.decisions <= excluded.decisions;
  RETURN CASE WHEN FOUND THEN 'applied' ELSE 'superseded' END;
END
$$;
