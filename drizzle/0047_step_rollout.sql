-- One step of a rollout, from the revision on which it was decided. The last one makes the new
-- document the active one. What processes saw is of a pass and stage: a step that stays in them, as a
-- pause and what goes on after it, takes it along. A stage that goes on after a pause bakes anew.
CREATE OR REPLACE FUNCTION step_rollout(
  p_rollout_id text, p_revision integer, p_action text, p_state text, p_pass text, p_stage integer,
  p_note text, p_health jsonb, p_by text, p_at timestamptz, p_audit_id uuid, p_event_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  r rollout%ROWTYPE;
  v_active text;
  v_beside text;
BEGIN
  -- The pointers before the rollout, as an activation does it, so that the two never wait in a circle.
  SELECT kind INTO r.kind FROM rollout WHERE rollout_id = p_rollout_id;
  IF NOT FOUND THEN RETURN 'rollout_unknown'; END IF;
  PERFORM FROM active_document ORDER BY kind FOR UPDATE;
  SELECT hash INTO v_active FROM active_document WHERE kind = r.kind;
  SELECT hash INTO v_beside FROM active_document WHERE kind <> r.kind;
  SELECT * INTO STRICT r FROM rollout WHERE rollout_id = p_rollout_id FOR UPDATE;
  IF r.revision <> p_revision OR r.state NOT IN ('running', 'paused') THEN
    RETURN 'superseded';
  END IF;

  IF p_state = 'done' THEN
    IF v_active IS DISTINCT FROM r.from_hash OR v_beside IS DISTINCT FROM r.beside_hash THEN
      RETURN 'superseded';
    END IF;
    UPDATE active_document SET hash = r.to_hash, activated_at = p_at, activated_by = p_by,
      previous = CASE WHEN previous = r.to_hash THEN NULL ELSE hash END
    WHERE kind = r.kind;
  END IF;
  UPDATE rollout SET
    state = p_state, pass = p_pass, stage = p_stage, note = p_note, updated_at = p_at,
    since = CASE
      WHEN (pass, stage) = (p_pass, p_stage) AND NOT (state = 'paused' AND p_state = 'running')
      THEN since ELSE p_at
    END,
    enforced_at = CASE
      WHEN p_pass = 'enforce' AND (pass, stage) <> (p_pass, p_stage)
      THEN enforced_at || jsonb_build_object(p_stage::text, iso_time(p_at)) ELSE enforced_at
    END,
    health = CASE WHEN (pass, stage) = (p_pass, p_stage) THEN coalesce(p_health, health) END,
    revision = revision + 1
  WHERE rollout_id = p_rollout_id;
  IF r.pass = p_pass AND r.stage = p_stage THEN
    UPDATE rollout_observation SET revision = p_revision + 1
    WHERE rollout_id = p_rollout_id AND revision = p_revision;
  END IF;
  DELETE FROM rollout_observation WHERE rollout_id = p_rollout_id AND revision < p_revision;
  PERFORM note_change(p_at, p_by, p_action,
    jsonb_build_object('rolloutId', p_rollout_id, 'kind', r.kind, 'from', r.from_hash,
      'to', r.to_hash, 'state', p_state, 'pass', p_pass, 'stage', p_stage, 'note', p_note,
      'health', p_health),
    'rollout-changed', p_audit_id, p_event_id);
  RETURN 'applied';
END
$$;
