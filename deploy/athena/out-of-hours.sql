-- Actions at night and at weekends (--zone)
-- Night is before 7 and from 19 o'clock on, in local time.
SELECT local_time, who, action, status, client_address, peer_address
FROM (
  SELECT CAST(with_timezone(created_at, 'UTC') AT TIME ZONE 'Europe/Berlin' AS timestamp) AS local_time, created_at_us, id,
    who, action, status, client_address, peer_address
  FROM audit_events
  WHERE tenant IN ('acme') AND dt BETWEEN '2026-01-01' AND '2026-01-31'
) AS local
WHERE hour(local_time) NOT BETWEEN 7 AND 18 OR day_of_week(local_time) > 5
ORDER BY created_at_us, id;
