-- New, changed and deleted users, and their roles
-- Attempts that failed count too.
SELECT created_at, who, action, status, json_extract_scalar(fields, '$.principal_name') AS of_user,
  json_format(json_extract(fields, '$.roles')) AS roles, json_extract_scalar(fields, '$.is_disabled') AS is_disabled,
  client_address, peer_address
FROM audit_events
WHERE tenant IN ('acme') AND dt BETWEEN '2026-01-01' AND '2026-01-31' AND action IN ('CreateUser', 'UpdateUser', 'DeleteUser')
ORDER BY created_at_us, id;
