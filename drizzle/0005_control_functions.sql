-- What steers decisions beside the active documents. Each change of it moves the revision of the
-- control row, which every decision reads, so that it is effective with the next decision of every
-- process. As before, each function writes the change, its audit row and its event, or nothing.

INSERT INTO control (id, revision) VALUES (1, 1) ON CONFLICT DO NOTHING;
--> statement-breakpoint
CREATE FUNCTION touch_control() RETURNS void LANGUAGE sql AS $$
  UPDATE control SET revision = revision + 1 WHERE id = 1
$$;
--> statement-breakpoint
CREATE FUNCTION note_change(
  p_at timestamptz, p_by text, p_action text, p_detail jsonb, p_event_type text, p_audit_id uuid,
  p_event_id uuid
) RETURNS void LANGUAGE sql AS $$
  SELECT touch_control();
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, p_action, p_detail);
  INSERT INTO outbox (device_id, event_id, type, payload, created_at, next_attempt_at)
  VALUES ('service', p_event_id, p_event_type,
    jsonb_build_object('at', iso_time(p_at), 'action', p_action) || p_detail, p_at, p_at);
$$;
--> statement-breakpoint
-- As before; besides, a rollout of the same kind ends, because it was made against what is now gone.
CREATE OR REPLACE FUNCTION activate_document(
  p_kind text, p_hash text, p_body jsonb, p_author text, p_reason text, p_at timestamptz,
  p_expected text, p_audit_id uuid, p_event_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_previous text;
BEGIN
  SELECT hash INTO v_previous FROM active_document WHERE kind = p_kind FOR UPDATE;
  IF v_previous = p_hash THEN RETURN 'unchanged'; END IF;
  IF coalesce(v_previous, '') <> p_expected THEN RETURN 'superseded'; END IF;

  IF p_expected = '' THEN
    INSERT INTO active_document (kind, hash, activated_at, activated_by)
    VALUES (p_kind, p_hash, p_at, p_author)
    ON CONFLICT (kind) DO NOTHING;
    IF NOT FOUND THEN RETURN 'superseded'; END IF;
  ELSE
    INSERT INTO active_document AS a (kind, hash, activated_at, activated_by)
    VALUES (p_kind, p_hash, p_at, p_author)
    ON CONFLICT (kind) DO UPDATE
      SET hash = excluded.hash, activated_at = excluded.activated_at,
        activated_by = excluded.activated_by,
        previous = CASE WHEN a.previous = excluded.hash THEN NULL ELSE a.hash END
      WHERE a.hash <> excluded.hash;
    IF NOT FOUND THEN RETURN 'unchanged'; END IF;
  END IF;

  UPDATE rollout
  SET state = 'reverted', note = 'another document came into force', updated_at = p_at,
    revision = revision + 1
  WHERE kind = p_kind AND state IN ('running', 'paused');
  INSERT INTO document (kind, hash, body, parent, author, reason, created_at)
  VALUES (p_kind, p_hash, p_body, v_previous, p_author, p_reason, p_at)
  ON CONFLICT DO NOTHING;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_author, 'document.activated',
    jsonb_build_object('kind', p_kind, 'hash', p_hash, 'previousHash', v_previous,
      'reason', p_reason));
  INSERT INTO outbox (device_id, event_id, type, payload, created_at, next_attempt_at)
  VALUES ('service', p_event_id, 'document-activated',
    jsonb_build_object('at', iso_time(p_at), 'kind', p_kind, 'hash', p_hash,
      'previousHash', v_previous),
    p_at, p_at);
  PERFORM touch_control();
  RETURN 'applied';
END
$$;
--> statement-breakpoint
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
--> statement-breakpoint
-- One step of a rollout, from the revision on which it was decided. The last one makes the new
-- document the active one.
CREATE FUNCTION step_rollout(
  p_rollout_id text, p_revision integer, p_action text, p_state text, p_pass text, p_stage integer,
  p_note text, p_health jsonb, p_by text, p_at timestamptz, p_audit_id uuid, p_event_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  r rollout%ROWTYPE;
  v_active text;
BEGIN
  -- The pointer before the rollout, as an activation does it, so that the two never wait in a circle.
  SELECT kind INTO r.kind FROM rollout WHERE rollout_id = p_rollout_id;
  IF NOT FOUND THEN RETURN 'rollout_unknown'; END IF;
  SELECT hash INTO v_active FROM active_document WHERE kind = r.kind FOR UPDATE;
  SELECT * INTO STRICT r FROM rollout WHERE rollout_id = p_rollout_id FOR UPDATE;
  IF r.revision <> p_revision OR r.state NOT IN ('running', 'paused') THEN
    RETURN 'superseded';
  END IF;

  IF p_state = 'done' THEN
    IF v_active <> r.from_hash THEN RETURN 'superseded'; END IF;
    UPDATE active_document SET hash = r.to_hash, activated_at = p_at, activated_by = p_by,
      previous = CASE WHEN previous = r.to_hash THEN NULL ELSE hash END
    WHERE kind = r.kind;
  END IF;
  UPDATE rollout SET
    state = p_state, pass = p_pass, stage = p_stage, note = p_note, updated_at = p_at,
    since = CASE WHEN (pass, stage) = (p_pass, p_stage) THEN since ELSE p_at END,
    health = CASE WHEN (pass, stage) = (p_pass, p_stage) THEN coalesce(p_health, health) END,
    revision = revision + 1
  WHERE rollout_id = p_rollout_id;
  DELETE FROM rollout_observation WHERE rollout_id = p_rollout_id AND revision < p_revision;
  PERFORM note_change(p_at, p_by, p_action,
    jsonb_build_object('rolloutId', p_rollout_id, 'kind', r.kind, 'from', r.from_hash,
      'to', r.to_hash, 'state', p_state, 'pass', p_pass, 'stage', p_stage, 'note', p_note,
      'health', p_health),
    'rollout-changed', p_audit_id, p_event_id);
  RETURN 'applied';
END
$$;
--> statement-breakpoint
-- What a check found, of the revision that it looked at. No decision depends on it.
CREATE FUNCTION record_rollout_health(p_rollout_id text, p_revision integer, p_health jsonb)
RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  UPDATE rollout SET health = p_health
  WHERE rollout_id = p_rollout_id AND revision = p_revision AND state IN ('running', 'paused');
  RETURN CASE WHEN FOUND THEN 'applied' ELSE 'superseded' END;
END
$$;
--> statement-breakpoint
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
--> statement-breakpoint
CREATE FUNCTION create_override(
  p_override_id text, p_action text, p_target_kind text, p_target text, p_kind text, p_hash text,
  p_reason text, p_author text, p_at timestamptz, p_expires_at timestamptz, p_most integer,
  p_audit_id uuid, p_event_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  -- One at a time, so that the limit holds.
  PERFORM FROM control WHERE id = 1 FOR UPDATE;
  IF p_action = 'pin' AND NOT EXISTS (
    SELECT FROM document WHERE kind = p_kind AND hash = p_hash
  ) THEN
    RETURN 'document_unknown';
  END IF;
  IF p_target_kind = 'device' AND NOT EXISTS (SELECT FROM device WHERE device_id = p_target) THEN
    RETURN 'device_unknown';
  END IF;
  IF (SELECT count(*) FROM override WHERE ended_at IS NULL AND expires_at > p_at) >= p_most THEN
    RETURN 'too_many';
  END IF;
  INSERT INTO override (override_id, action, target_kind, target, kind, hash, reason, author,
    created_at, expires_at)
  VALUES (p_override_id, p_action, p_target_kind, p_target, p_kind, p_hash, p_reason, p_author,
    p_at, p_expires_at);
  PERFORM note_change(p_at, p_author, 'override.created',
    jsonb_build_object('overrideId', p_override_id, 'override', p_action,
      'targetKind', p_target_kind, 'target', p_target, 'kind', p_kind, 'hash', p_hash,
      'reason', p_reason, 'expiresAt', iso_time(p_expires_at)),
    'override-changed', p_audit_id, p_event_id);
  RETURN 'applied';
END
$$;
--> statement-breakpoint
-- By an administrator at any time, by the service when it has expired.
CREATE FUNCTION end_override(
  p_override_id text, p_by text, p_reason text, p_at timestamptz, p_audit_id uuid, p_event_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  UPDATE override SET ended_at = p_at
  WHERE override_id = p_override_id AND ended_at IS NULL;
  IF NOT FOUND THEN
    RETURN CASE
      WHEN EXISTS (SELECT FROM override WHERE override_id = p_override_id) THEN 'unchanged'
      ELSE 'override_unknown'
    END;
  END IF;
  PERFORM note_change(p_at, p_by, 'override.ended',
    jsonb_build_object('overrideId', p_override_id, 'reason', p_reason),
    'override-changed', p_audit_id, p_event_id);
  RETURN 'applied';
END
$$;
--> statement-breakpoint
-- Begins a hold, or lengthens the open one of the same cause where `p_lengthen` is true. At most
-- `p_most` are open at once, and a cause that had one after `p_rested_since` gets no other.
CREATE FUNCTION begin_hold(
  p_hold_id text, p_cause_key text, p_cause jsonb, p_covers timestamptz, p_since timestamptz,
  p_until timestamptz, p_evidence jsonb, p_lengthen boolean, p_most integer,
  p_rested_since timestamptz, p_audit_id uuid, p_event_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM control WHERE id = 1 FOR UPDATE;
  IF EXISTS (SELECT FROM hold WHERE cause_key = p_cause_key AND ended_at IS NULL) THEN
    IF NOT p_lengthen THEN RETURN 'unchanged'; END IF;
    UPDATE hold SET until = p_until
    WHERE cause_key = p_cause_key AND ended_at IS NULL AND until < p_until;
    IF NOT FOUND THEN RETURN 'unchanged'; END IF;
    PERFORM touch_control();
    RETURN 'lengthened';
  END IF;
  IF EXISTS (SELECT FROM hold WHERE cause_key = p_cause_key AND ended_at > p_rested_since) THEN
    RETURN 'used_up';
  END IF;
  IF (SELECT count(*) FROM hold WHERE ended_at IS NULL) >= p_most THEN RETURN 'too_many'; END IF;
  INSERT INTO hold (hold_id, cause_key, cause, covers, since, until, evidence)
  VALUES (p_hold_id, p_cause_key, p_cause, p_covers, p_since, p_until, p_evidence);
  PERFORM note_change(p_since, 'service', 'hold.begun',
    jsonb_build_object('holdId', p_hold_id, 'cause', p_cause, 'until', iso_time(p_until),
      'evidence', p_evidence),
    'hold-changed', p_audit_id, p_event_id);
  RETURN 'applied';
END
$$;
--> statement-breakpoint
-- Ends a hold: by an administrator at any time, by the service when its time is over.
CREATE FUNCTION end_hold(
  p_hold_id text, p_by text, p_reason text, p_at timestamptz, p_audit_id uuid, p_event_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_cause jsonb;
BEGIN
  -- First, as when one begins or is lengthened: two that take locks in turn would wait in a circle.
  PERFORM FROM control WHERE id = 1 FOR UPDATE;
  UPDATE hold SET ended_at = p_at WHERE hold_id = p_hold_id AND ended_at IS NULL
  RETURNING cause INTO v_cause;
  IF NOT FOUND THEN
    RETURN CASE
      WHEN EXISTS (SELECT FROM hold WHERE hold_id = p_hold_id) THEN 'unchanged'
      ELSE 'hold_unknown'
    END;
  END IF;
  PERFORM note_change(p_at, p_by, 'hold.ended',
    jsonb_build_object('holdId', p_hold_id, 'cause', v_cause, 'reason', p_reason),
    'hold-changed', p_audit_id, p_event_id);
  RETURN 'applied';
END
$$;
--> statement-breakpoint
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
--> statement-breakpoint
-- Says how far the job has come; without `p_until` its holder gives it up.
CREATE FUNCTION yield_job(p_job text, p_holder text, p_position text, p_until timestamptz)
RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  UPDATE job_lease SET position = p_position, until = coalesce(p_until, '-infinity')
  WHERE job = p_job AND holder = p_holder;
  RETURN CASE WHEN FOUND THEN 'applied' ELSE 'superseded' END;
END
$$;
