-- Activity by day and actor
-- Who did how much?
SELECT dt, who, actor_email, actions, failures, kinds, client_addresses, first_at, last_at
FROM audit_actors
WHERE tenant IN ('acme') AND dt BETWEEN '2026-01-01' AND '2026-01-31'
ORDER BY dt, actions DESC, who, actor_id;
