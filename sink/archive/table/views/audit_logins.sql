-- One row for each login that succeeded or failed. who is the user, or, of a login that failed, the name that the caller typed.
-- client_address and peer_address: see audit_events.
CREATE OR REPLACE VIEW {{name "audit_logins"}} AS
SELECT id, created_at, created_at_us, status,
  {{who ""}} AS who,
  {{text "fields" "auth_type"}} AS auth_type,
  {{client ""}} AS client_address,
  {{peer ""}} AS peer_address,
  actor_id, actor_name, actor_email, fields, request_id, source_ip_address, commit_id, tenant, dt
FROM {{table}}
WHERE action = 'LoginAttempt' AND status IN ('success', 'failure');
