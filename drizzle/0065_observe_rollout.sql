-- A reporter repeats the whole of what it saw in a stage, so that it may be told twice, and an older
-- report changes nothing. It waits for a step that is being taken, so that nothing is written that the
-- step does not take along.
CREATE OR REPLACE FUNCTION observe_rollout(
  p_rollout_id text, p_revision integer, p_reporter text, p_decisions integer,
  p_newly_denied integer, p_examples jsonb, p_causes jsonb, p_at timestamptz
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM rollout WHERE rollout_id = p_rollout_id AND revision = p_revision FOR KEY SHARE;
  IF NOT FOUND THEN RETURN 'superseded'; END IF;
  INSERT INTO rollout_observation AS o (rollout_id, revision, reporter, decisions, newly_denied,
    examples, causes, at)
  VALUES (p_rollout_id, p_revision, p_reporter, p_decisions, p_newly_denied, p_examples, p_causes,
    p_at)
  ON CONFLICT (rollout_id, revision, reporter) DO UPDATE SET
    decisions = excluded.decisions, newly_denied = excluded.newly_denied,
    examples = excluded.examples, causes = excluded.causes, at = excluded.at
  WHERE o.decisions <= excluded.decisions;
  RETURN 'applied';
END
$$;
