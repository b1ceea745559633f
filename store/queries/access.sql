-- name: InsertAPIKey :exec
insert into api_keys (id, marketplace, name, scope, hash, person_id, created_at)
values (sqlc.arg(id), sqlc.arg(marketplace), sqlc.arg(name), sqlc.arg(scope), sqlc.arg(hash), sqlc.arg(person_id), sqlc.arg(now));

-- name: APIKeyByHash :one
-- The key of a person counts while the person does.
select k.id, k.marketplace, k.name, k.scope, k.created_at, k.person_id, p.name as person_name, p.marketplace as person_marketplace,
       p.scope as person_scope, p.scope_since as person_scope_since
from api_keys k
left join persons p on p.id = k.person_id
where k.hash = sqlc.arg(hash) and k.revoked_at is null and p.revoked_at is null;

-- name: APIKeys :many
select k.id, k.marketplace, k.name, k.scope, k.created_at, k.revoked_at, p.name as person_name
from api_keys k
left join persons p on p.id = k.person_id
order by k.created_at, k.id;

-- name: RevokeAPIKey :execrows
update api_keys set revoked_at = sqlc.arg(now)::timestamptz where id = sqlc.arg(id) and revoked_at is null;

-- name: InsertPerson :exec
insert into persons (id, issuer, subject, name, marketplace, scope, scope_since, created_at)
values (sqlc.arg(id), sqlc.arg(issuer), sqlc.arg(subject), sqlc.arg(name), sqlc.arg(marketplace), sqlc.arg(scope), sqlc.arg(now), sqlc.arg(now));

-- name: PersonBySubject :one
select id, name, marketplace, scope, scope_since from persons
where issuer = sqlc.arg(issuer) and subject = sqlc.arg(subject) and revoked_at is null;

-- name: Persons :many
select id, issuer, subject, name, marketplace, scope, scope_since, created_at, revoked_at from persons order by created_at, id;

-- name: SetPersonScope :execrows
update persons set scope = sqlc.arg(scope), scope_since = sqlc.arg(now), marketplace = sqlc.arg(marketplace)
where id = sqlc.arg(id) and revoked_at is null;

-- name: RevokePerson :execrows
update persons set revoked_at = sqlc.arg(now)::timestamptz where id = sqlc.arg(id) and revoked_at is null;

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
