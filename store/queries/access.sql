-- name: InsertAPIKey :exec
insert into api_keys (id, marketplace, name, scope, hash, created_at)
values (sqlc.arg(id), sqlc.arg(marketplace), sqlc.arg(name), sqlc.arg(scope), sqlc.arg(hash), sqlc.arg(now));

-- name: APIKeyByHash :one
select id, marketplace, name, scope from api_keys where hash = sqlc.arg(hash) and revoked_at is null;

-- name: APIKeys :many
select id, marketplace, name, scope, created_at, revoked_at from api_keys order by created_at, id;

-- name: RevokeAPIKey :execrows
update api_keys set revoked_at = sqlc.arg(now)::timestamptz where id = sqlc.arg(id) and revoked_at is null;

-- name: IdempotentAnswer :one
select request, status, answer from idempotency_keys where api_key_id = sqlc.arg(api_key_id) and key = sqlc.arg(key);

-- name: ReserveIdempotencyKey :exec
-- Status 0 means that the request has begun and was not answered.
insert into idempotency_keys (api_key_id, key, request, status, answer, created_at)
values (sqlc.arg(api_key_id), sqlc.arg(key), sqlc.arg(request), 0, '', sqlc.arg(now))
on conflict on constraint idempotency_keys_pkey do nothing;

-- name: SaveIdempotentAnswer :exec
update idempotency_keys set status = sqlc.arg(status), answer = sqlc.arg(answer)
where api_key_id = sqlc.arg(api_key_id) and key = sqlc.arg(key) and status = 0;

-- name: DropIdempotencyKeysBefore :exec
delete from idempotency_keys where created_at < sqlc.arg(before);

-- name: Pairing :one
select pairing_id, address from pairings where marketplace = sqlc.arg(marketplace) and machine_id = sqlc.arg(machine_id);

-- name: SavePairing :exec
insert into pairings (marketplace, machine_id, pairing_id, address, created_at)
values (sqlc.arg(marketplace), sqlc.arg(machine_id), sqlc.arg(pairing_id), sqlc.arg(address), sqlc.arg(now))
on conflict on constraint pairings_pkey do update set pairing_id = excluded.pairing_id, address = excluded.address, created_at = excluded.created_at;
