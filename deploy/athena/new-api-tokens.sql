-- New API tokens
-- Who made one, for which user, and from which address? A token outlives a change of the password.
SELECT created_at, who, json_extract_scalar(fields, '$.name') AS token_name, json_extract_scalar(fields, '$.id') AS token_id,
  json_extract_scalar(fields, '$.user_id') AS of_user_id, client_address, peer_address, request_id
FROM audit_events
WHERE tenant IN ('acme') AND dt BETWEEN '2026-01-01' AND '2026-01-31' AND action = 'CreateAuthToken' AND status = 'success'
ORDER BY created_at_us, id;
