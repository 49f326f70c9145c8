-- The partitions of a table but the default one, each with its bounds: what is in it is not before
-- `lower` and is before `upper`.
CREATE FUNCTION partitions_of(p_table text)
RETURNS TABLE (name text, lower timestamptz, upper timestamptz) LANGUAGE sql STABLE AS $$
  SELECT relname::text, bounds[1]::timestamptz, bounds[2]::timestamptz
  FROM (
    SELECT c.relname, regexp_match(pg_get_expr(c.relpartbound, c.oid),
      'FROM \(''([^'']+)''\) TO \(''([^'']+)''\)') AS bounds
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = p_table::regclass
  ) AS partition WHERE bounds IS NOT NULL
$$;
