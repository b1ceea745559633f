-- name: SaveSession :exec
-- Whoever signs in clears away the sessions that are over.
with over as (delete from sessions where expires_at <= sqlc.arg(now)::timestamptz and token <> sqlc.arg(token))
insert into sessions (token, data, expires_at) values (sqlc.arg(token), sqlc.arg(data), sqlc.arg(expires_at))
on conflict (token) do update set data = excluded.data, expires_at = excluded.expires_at;

-- name: FindSession :one
select data from sessions where token = sqlc.arg(token) and expires_at > sqlc.arg(now)::timestamptz;

-- name: DeleteSession :exec
delete from sessions where token = sqlc.arg(token);
