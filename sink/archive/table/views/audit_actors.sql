-- One row for each day and actor: the number of actions that ended, how many of them failed, and the first and the last one.
-- client_addresses counts the addresses that the callers named, which they can choose.
CREATE OR REPLACE VIEW {{name "audit_actors"}} AS
SELECT tenant, dt, actor_id, who, max(actor_email) AS actor_email, count(*) AS actions,
  sum(CASE WHEN status = 'failure' THEN 1 ELSE 0 END) AS failures, count(DISTINCT action) AS kinds,
  count(DISTINCT client_address) AS client_addresses, min(created_at) AS first_at, max(created_at) AS last_at
FROM (
  SELECT tenant, dt, actor_id, actor_email, action, status, created_at,
    {{who ""}} AS who,
    {{client ""}} AS client_address
  FROM {{table}}
  WHERE status IS NULL OR status <> 'intent'
) AS events
GROUP BY tenant, dt, actor_id, who;
