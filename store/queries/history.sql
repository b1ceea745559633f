-- name: EventsSeen :many
-- One look into the index for each event, whatever the table's statistics say: the limit keeps it from becoming a join.
select e.payment_id, e.event_id
from (select unnest(sqlc.arg(payment_ids)::uuid[]) as payment_id, unnest(sqlc.arg(event_ids)::text[]) as event_id) wanted
cross join lateral (
    select recorded.payment_id, recorded.event_id from payment_events recorded
    where recorded.payment_id = wanted.payment_id and recorded.event_id = wanted.event_id limit 1
) e;

-- name: LockAudit :exec
-- One appender at a time; released with the transaction. The number is arbitrary and fixed.
select pg_advisory_xact_lock(7235102001);

-- name: AuditHead :one
select seq, digest from audit_batches order by seq desc limit 1;

-- name: InsertAuditBatch :exec
insert into audit_batches (seq, previous, digest, events, at)
values (sqlc.arg(seq), sqlc.arg(previous), sqlc.arg(digest), sqlc.arg(events), sqlc.arg(at));

-- name: InsertEvents :exec
insert into payment_events (payment_id, version, event_id, kind, from_state, to_state, reason, detail, txid, actor, actor_name, origin, weight, audit_seq, at)
select unnest(sqlc.arg(payment_ids)::uuid[]), unnest(sqlc.arg(versions)::bigint[]), unnest(sqlc.arg(event_ids)::text[]), unnest(sqlc.arg(kinds)::text[]),
       unnest(sqlc.arg(from_states)::text[]), unnest(sqlc.arg(to_states)::text[]), unnest(sqlc.arg(reasons)::text[]), unnest(sqlc.arg(details)::text[]),
       unnest(sqlc.arg(txids)::bytea[]), nullif(unnest(sqlc.arg(actors)::text[]), '')::uuid, nullif(unnest(sqlc.arg(actor_names)::text[]), ''), nullif(unnest(sqlc.arg(origins)::text[]), ''),
       nullif(unnest(sqlc.arg(weights)::text[]), '')::numeric, sqlc.arg(audit_seq)::bigint, sqlc.arg(at)::timestamptz;

-- name: History :many
select version, event_id, kind, from_state, to_state, reason, detail, txid, actor, actor_name, origin, coalesce(weight, 0)::text as weight, at
from payment_events
where payment_id = sqlc.arg(payment_id)
order by version;
