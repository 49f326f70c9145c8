-- A place in the list of statuses that no device has had. Devices of different rings do not wait for each
-- other, and rings are even, so that few places stay empty. NULL for what is no ring.
CREATE OR REPLACE FUNCTION next_status_place(p_ring integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  v_next integer;
BEGIN
  UPDATE status_place SET next = next + 1 WHERE ring = p_ring RETURNING next INTO v_next;
  RETURN (v_next - 1) * 100 + p_ring;
END
$$;
