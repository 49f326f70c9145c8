-- Keeps what a sweep that has ended counted: in the place of what the one before counted, and in the history as the
-- last of its period. What is in the history since before `p_forget_before` goes. Answers `applied`.
CREATE FUNCTION keep_fleet_summary(
  p_name text,
  p_body jsonb,
  p_at timestamptz,
  p_period timestamptz,
  p_forget_before timestamptz
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO fleet_summary (name, body, at) VALUES (p_name, p_body, p_at)
  ON CONFLICT (name) DO UPDATE SET body = excluded.body, at = excluded.at;
  INSERT INTO fleet_history (period, body, at) VALUES (p_period, p_body, p_at)
  ON CONFLICT (period) DO UPDATE SET body = excluded.body, at = excluded.at;
  DELETE FROM fleet_history WHERE period < p_forget_before;
  RETURN 'applied';
END
$$;
