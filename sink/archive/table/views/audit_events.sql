-- One row for each action that ended. The row is that of the outcome, which has everything, and of actions that write one row.
-- duration_ms is the time since the intent. It is NULL if there is no intent with the same commit id on the same day or on the
-- day before. For intents without an outcome, see audit_orphans.
-- client_address is the first address of the proxy chain: the caller can choose it. peer_address is the last one, which the
-- server saw itself: a proxy's, if there is one.
CREATE OR REPLACE VIEW {{name "audit_events"}} AS
SELECT o.id, o.created_at, o.created_at_us, o.action, o.status,
  {{who "o."}} AS who,
  {{client "o."}} AS client_address,
  {{peer "o."}} AS peer_address,
  (o.created_at_us - i.started_at_us) / 1e3 AS duration_ms,
  o.actor_id, o.actor_name, o.actor_email, o.fields, o.request_id, o.source_ip_address, o.commit_id, o.tenant, o.dt
FROM {{table}} o
LEFT JOIN (
  SELECT tenant, dt, commit_id, min(created_at_us) AS started_at_us
  FROM (
    SELECT tenant, dt, commit_id, created_at_us FROM {{table}}
    WHERE status = 'intent' AND {{paired}}
    UNION ALL
    SELECT tenant, {{next}} AS dt, commit_id, created_at_us FROM {{table}}
    WHERE status = 'intent' AND {{paired}}
  ) AS intents
  GROUP BY tenant, dt, commit_id
) i ON i.tenant = o.tenant AND i.dt = o.dt AND i.commit_id = o.commit_id
WHERE o.status IS NULL OR o.status <> 'intent'{{settings}};
