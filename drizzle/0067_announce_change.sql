-- Puts the event that tells others about a device into the outbox, and beside it a delivery for each stream
-- that keeps events: they leave with their cause. Wakes whoever delivers, once the transaction is kept.
CREATE OR REPLACE FUNCTION announce_change(
  p_device_id text,
  p_event_id uuid,
  p_at timestamptz,
  p_cause text,
  p_previous_enrolment text,
  p_enrolment text,
  p_previous_verdict text,
  p_verdict text,
  p_reasons jsonb,
  p_attestation_id text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO outbox (device_id, event_id, type, payload, created_at, next_attempt_at)
  VALUES (p_device_id, p_event_id, 'device-compliance-change',
    jsonb_build_object(
      'at', iso_time(p_at),
      'cause', p_cause,
      'previousStatus', compliance_status(p_previous_verdict, p_previous_enrolment),
      'currentStatus', compliance_status(p_verdict, p_enrolment),
      'previousVerdict', p_previous_verdict,
      'currentVerdict', p_verdict,
      'reasons', coalesce(p_reasons, '[]'),
      'attestationId', p_attestation_id),
    p_at, p_at);
  INSERT INTO delivery (device_id, stream_id, event_id, created_at, next_attempt_at)
  SELECT p_device_id, s.stream_id, p_event_id, p_at, p_at FROM stream s
  WHERE s.status <> 'disabled' AND s.events_delivered <> '{}';
  IF FOUND THEN PERFORM pg_notify('countersign_signals', ''); END IF;
END
$$;
