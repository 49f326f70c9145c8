-- Starts a rollout from the active document to another kept one. Answers `applied`, `unchanged` (it is
-- active), `superseded` (another is active than `p_from_hash`), `document_unknown` or `another_open`.
CREATE FUNCTION start_rollout(
  p_rollout_id text, p_kind text, p_from_hash text, p_to_hash text, p_plan jsonb, p_note text,
  p_author text, p_reason text, p_at timestamptz, p_audit_id uuid, p_event_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_active text;
BEGIN
  SELECT hash INTO v_active FROM active_document WHERE kind = p_kind FOR UPDATE;
  IF v_active = p_to_hash THEN RETURN 'unchanged'; END IF;
  IF v_active IS DISTINCT FROM p_from_hash THEN RETURN 'superseded'; END IF;
  PERFORM FROM document WHERE kind = p_kind AND hash = p_to_hash;
  IF NOT FOUND THEN RETURN 'document_unknown'; END IF;
  INSERT INTO rollout (rollout_id, kind, from_hash, to_hash, state, pass, stage, plan, since, note,
    author, reason, created_at, updated_at, revision)
  VALUES (p_rollout_id, p_kind, p_from_hash, p_to_hash, 'running', 'audit', 0, p_plan, p_at, p_note,
    p_author, p_reason, p_at, p_at, 1)
  ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN 'another_open'; END IF;
  PERFORM note_change(p_at, p_author, 'rollout.started',
    jsonb_build_object('rolloutId', p_rollout_id, 'kind', p_kind, 'from', p_from_hash,
      'to', p_to_hash, 'reason', p_reason),
    'rollout-changed', p_audit_id, p_event_id);
  RETURN 'applied';
END
$$;
