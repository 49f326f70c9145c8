-- Gives a client another secret, which ends at `p_expires_at` if that is said, and lets the one before count until
-- `p_until`, though no longer than it would have. Answers `applied`,
-- `client_unknown`, `client_disabled`, `client_has_keys`: it has no secret, or `rotation_under_way`: a secret
-- before this one still counts, and only a change that ends both of them (`p_until` not after `p_at`) may
-- follow. That one ends the access tokens of the client too, as somebody else may have got them.
DROP FUNCTION rotate_client_secret(text, text, timestamptz, timestamptz, text, uuid);
--> statement-breakpoint
CREATE OR REPLACE FUNCTION rotate_client_secret(
  p_client_id text, p_secret_hash text, p_until timestamptz, p_at timestamptz, p_by text,
  p_audit_id uuid, p_expires_at timestamptz DEFAULT NULL
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_secret_hash text;
  v_disabled_at timestamptz;
  v_previous_until timestamptz;
  v_overlaps boolean := p_until > p_at;
BEGIN
  SELECT secret_hash, disabled_at, previous_secret_until
  INTO v_secret_hash, v_disabled_at, v_previous_until
  FROM client WHERE client_id = p_client_id FOR UPDATE;
  IF NOT FOUND THEN RETURN 'client_unknown'; END IF;
  IF v_disabled_at IS NOT NULL THEN RETURN 'client_disabled'; END IF;
  IF v_secret_hash IS NULL THEN RETURN 'client_has_keys'; END IF;
  IF v_overlaps AND v_previous_until > p_at THEN RETURN 'rotation_under_way'; END IF;
  UPDATE client SET
    secret_hash = p_secret_hash,
    secret_changed_at = p_at,
    secret_used_at = NULL,
    secret_expires_at = p_expires_at,
    previous_secret_hash = CASE WHEN v_overlaps THEN secret_hash END,
    previous_secret_until = CASE WHEN v_overlaps THEN least(p_until, secret_expires_at) END,
    previous_secret_used_at = CASE WHEN v_overlaps THEN secret_used_at END,
    generation = CASE WHEN v_overlaps THEN generation ELSE generation + 1 END,
    revoked_tokens = CASE WHEN v_overlaps THEN revoked_tokens ELSE '{}'::jsonb END
  WHERE client_id = p_client_id;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, 'client.secret-rotated',
    jsonb_build_object('clientId', p_client_id, 'previousUntil', iso_time(p_until))
      || CASE WHEN p_expires_at IS NULL THEN '{}'::jsonb
         ELSE jsonb_build_object('secretExpiresAt', iso_time(p_expires_at)) END);
  RETURN 'applied';
END
$$;
