-- Adds what a process noted of the questions that one API client asked on one day: each of them to the row
-- that it has, or a new one within the limits of that day. Of a topic those of the lowest rank are kept, and
-- where all of the client are too many, the one of the highest rank in its largest topic makes place. What
-- is not kept is counted in the row of its topic that has no device; topics past their limit are one.
-- Answers how many were kept anew. The lock makes processes queue, so that the limits hold at any moment.
CREATE FUNCTION record_questions(
  p_period timestamptz, p_client_id text, p_questions jsonb, p_limits jsonb
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  q record;
  v_topic text;
  v_about jsonb;
  v_from text;
  v_total bigint;
  v_of_client bigint;
  v_of_topic bigint;
  v_topics bigint;
  v_rank integer;
  v_device_id text;
  v_sample text;
  v_counted bigint;
  v_at timestamptz;
  v_kept integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('questions', 0));
  SELECT count(*), count(*) FILTER (WHERE client_id = p_client_id) INTO v_total, v_of_client
  FROM question WHERE period = p_period AND request IS NOT NULL;
  SELECT count(DISTINCT topic) INTO v_topics
  FROM question WHERE period = p_period AND client_id = p_client_id;

  FOR q IN
    SELECT * FROM jsonb_to_recordset(p_questions) AS t(
      topic text, about jsonb, device_id text, sample text, shape text, rank integer, asked bigint,
      asked_at timestamptz, request jsonb, left_out jsonb)
  LOOP
    UPDATE question SET asked = question.asked + q.asked,
      asked_at = greatest(question.asked_at, q.asked_at)
    WHERE period = p_period AND client_id = p_client_id AND topic = q.topic
      AND device_id = q.device_id AND sample = q.sample;
    CONTINUE WHEN FOUND;

    v_topic := q.topic;
    v_about := q.about;
    v_counted := q.asked;
    v_at := q.asked_at;
    IF NOT EXISTS (
      SELECT FROM question WHERE period = p_period AND client_id = p_client_id AND topic = q.topic
    ) THEN
      IF v_topics < (p_limits ->> 'topics')::bigint THEN
        v_topics := v_topics + 1;
      ELSE
        v_topic := '';
        v_about := '{"action": null, "resource_type": null, "resource_id": null}';
      END IF;
    END IF;

    IF v_topic <> '' AND q.request IS NOT NULL AND jsonb_typeof(q.request) = 'object'
      AND (SELECT count(*) FROM question WHERE period = p_period AND client_id = p_client_id
        AND topic = q.topic AND device_id = q.device_id AND shape = q.shape)
        < (p_limits ->> 'perShape')::bigint
      AND (SELECT count(*) FROM question WHERE period = p_period AND client_id = p_client_id
        AND device_id = q.device_id) < (p_limits ->> 'perDevice')::bigint
    THEN
      SELECT count(*) INTO v_of_topic FROM question
      WHERE period = p_period AND client_id = p_client_id AND topic = q.topic AND request IS NOT NULL;
      v_from := NULL;
      IF v_of_topic >= (p_limits ->> 'perTopic')::bigint THEN
        v_from := q.topic;
      ELSIF v_of_client >= (p_limits ->> 'perClient')::bigint
        OR v_total >= (p_limits ->> 'total')::bigint THEN
        SELECT topic INTO v_from FROM question
        WHERE period = p_period AND client_id = p_client_id AND request IS NOT NULL
        GROUP BY topic ORDER BY count(*) DESC, topic LIMIT 1;
        -- A client that has nothing of its own to give up keeps nothing.
        v_from := coalesce(v_from, q.topic);
      END IF;

      v_rank := NULL;
      IF v_from IS NOT NULL THEN
        SELECT rank, device_id, sample INTO v_rank, v_device_id, v_sample FROM question
        WHERE period = p_period AND client_id = p_client_id AND topic = v_from
          AND request IS NOT NULL
        ORDER BY rank DESC, device_id DESC, sample DESC LIMIT 1;
      END IF;
      IF v_from IS NULL OR v_from <> q.topic OR v_rank > q.rank THEN
        INSERT INTO question (period, client_id, topic, device_id, sample, about, shape, rank, asked,
          asked_at, request, left_out)
        VALUES (p_period, p_client_id, q.topic, q.device_id, q.sample, q.about, q.shape, q.rank,
          q.asked, q.asked_at, q.request, q.left_out);
        v_kept := v_kept + 1;
        IF v_from IS NULL THEN
          v_total := v_total + 1;
          v_of_client := v_of_client + 1;
          CONTINUE;
        END IF;
        DELETE FROM question WHERE period = p_period AND client_id = p_client_id
          AND topic = v_from AND device_id = v_device_id AND sample = v_sample
        RETURNING topic, about, asked, asked_at INTO v_topic, v_about, v_counted, v_at;
      END IF;
    END IF;

    INSERT INTO question AS c (period, client_id, topic, device_id, sample, about, shape, rank, asked,
      asked_at)
    VALUES (p_period, p_client_id, v_topic, '', '', v_about, '', 0, v_counted, v_at)
    ON CONFLICT (period, client_id, topic, device_id, sample) DO UPDATE SET
      asked = c.asked + excluded.asked, asked_at = greatest(c.asked_at, excluded.asked_at);
  END LOOP;
  RETURN v_kept::text;
END
$$;
