-- name: EventsSeen :many
select e.payment_id, e.event_id
from payment_events e
join (select unnest(sqlc.arg(payment_ids)::uuid[]) as payment_id, unnest(sqlc.arg(event_ids)::text[]) as event_id) wanted
  on e.payment_id = wanted.payment_id and e.event_id = wanted.event_id;

-- name: LockAudit :exec
-- One appender at a time; released with the transaction. The number is arbitrary and fixed.
select pg_advisory_xact_lock(7235102001);

-- name: AuditHead :one
select seq, digest from audit_batches order by seq desc limit 1;

-- name: InsertAuditBatch :exec
insert into audit_batches (seq, previous, digest, events, at)
values (sqlc.arg(seq), sqlc.arg(previous), sqlc.arg(digest), sqlc.arg(events), sqlc.arg(at));

-- name: InsertEvents :exec
insert into payment_events (payment_id, version, event_id, kind, from_state, to_state, reason, detail, txid, audit_seq, at)
select unnest(sqlc.arg(payment_ids)::uuid[]), unnest(sqlc.arg(versions)::bigint[]), unnest(sqlc.arg(event_ids)::text[]), unnest(sqlc.arg(kinds)::text[]),
       unnest(sqlc.arg(from_states)::text[]), unnest(sqlc.arg(to_states)::text[]), unnest(sqlc.arg(reasons)::text[]), unnest(sqlc.arg(details)::text[]),
       unnest(sqlc.arg(txids)::bytea[]), sqlc.arg(audit_seq)::bigint, sqlc.arg(at)::timestamptz;

-- name: History :many
select version, event_id, kind, from_state, to_state, reason, detail, txid, at
from payment_events
where payment_id = sqlc.arg(payment_id)
order by version;
