-- One row for each intent without an outcome: a crash, or an outcome that is not in the archive yet. The outcome is searched on the
-- same day and on the next day. An intent without a commit id, or with the zero one, cannot be paired, and is shown for this
-- reason.
CREATE OR REPLACE VIEW {{name "audit_orphans"}} AS
SELECT i.id, i.created_at, i.created_at_us, i.action,
  CASE WHEN i.commit_id IS NULL OR i.commit_id IN ('', '00000000-0000-0000-0000-000000000000')
    THEN 'no commit id' ELSE 'no outcome' END AS reason,
  {{who "i."}} AS who,
  {{client "i."}} AS client_address,
  {{peer "i."}} AS peer_address,
  i.actor_id, i.actor_name, i.actor_email, i.fields, i.request_id, i.source_ip_address, i.commit_id, i.tenant, i.dt
FROM {{table}} i
LEFT JOIN (
  SELECT tenant, dt, commit_id, count(*) AS outcomes
  FROM (
    SELECT tenant, dt, commit_id FROM {{table}}
    WHERE status IN ('success', 'failure') AND {{paired}}
    UNION ALL
    SELECT tenant, {{previous}} AS dt, commit_id FROM {{table}}
    WHERE status IN ('success', 'failure') AND {{paired}}
  ) AS outcomes
  GROUP BY tenant, dt, commit_id
) o ON o.tenant = i.tenant AND o.dt = i.dt AND o.commit_id = i.commit_id
WHERE i.status = 'intent' AND o.outcomes IS NULL{{settings}};
