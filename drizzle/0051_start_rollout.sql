-- Starts a rollout from the active document to another kept one. Answers `applied`, `unchanged` (it is
-- active), `superseded` (another is active than `p_from_hash`, or of the other kind than `p_beside`,
-- which is null for none, or another rollout of this document was the last to halt than `p_despite`),
-- `document_unknown` or `another_open`: one rollout at a time, so that until it is over the documents in
-- force are those that it was previewed against. Processes of the version before do not name `p_despite`.
DROP FUNCTION start_rollout(text, text, text, text, text, jsonb, text, text, text, timestamptz, uuid, uuid);
--> statement-breakpoint
CREATE FUNCTION start_rollout(
  p_rollout_id text, p_kind text, p_from_hash text, p_to_hash text, p_beside text, p_plan jsonb,
  p_note text, p_author text, p_reason text, p_at timestamptz, p_audit_id uuid, p_event_id uuid,
  p_despite text DEFAULT NULL
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_active text;
  v_beside text;
BEGIN
  -- Both pointers, as an activation does it: of two rollouts that begin at once one is first.
  PERFORM FROM active_document ORDER BY kind FOR UPDATE;
  SELECT hash INTO v_active FROM active_document WHERE kind = p_kind;
  SELECT hash INTO v_beside FROM active_document WHERE kind <> p_kind;
  IF v_active = p_to_hash THEN RETURN 'unchanged'; END IF;
  IF v_active IS DISTINCT FROM p_from_hash THEN RETURN 'superseded'; END IF;
  IF v_beside IS DISTINCT FROM p_beside THEN RETURN 'superseded'; END IF;
  PERFORM FROM document WHERE kind = p_kind AND hash = p_to_hash;
  IF NOT FOUND THEN RETURN 'document_unknown'; END IF;
  PERFORM FROM rollout WHERE state IN ('running', 'paused');
  IF FOUND THEN RETURN 'another_open'; END IF;
  IF NOT release_despite(p_kind, p_to_hash, p_despite, p_author, p_reason, p_at) THEN
    RETURN 'superseded';
  END IF;
  INSERT INTO rollout (rollout_id, kind, from_hash, to_hash, beside_hash, state, pass, stage, plan,
    since, note, author, reason, created_at, updated_at, revision)
  VALUES (p_rollout_id, p_kind, p_from_hash, p_to_hash, v_beside, 'running', 'audit', 0, p_plan,
    p_at, p_note, p_author, p_reason, p_at, p_at, 1)
  ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN 'another_open'; END IF;
  PERFORM note_change(p_at, p_author, 'rollout.started',
    jsonb_build_object('rolloutId', p_rollout_id, 'kind', p_kind, 'from', p_from_hash,
      'to', p_to_hash, 'reason', p_reason, 'despite', nullif(p_despite, '')),
    'rollout-changed', p_audit_id, p_event_id);
  RETURN 'applied';
END
$$;
