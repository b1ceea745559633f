-- name: InsertInbox :execrows
insert into inbox (marketplace, webhook_id, body_sha256, type, machine_id, order_id, received_at, due_at)
select unnest(sqlc.arg(marketplaces)::text[]), unnest(sqlc.arg(webhook_ids)::text[]), unnest(sqlc.arg(bodies)::bytea[]), unnest(sqlc.arg(types)::text[]),
       unnest(sqlc.arg(machine_ids)::text[]), unnest(sqlc.arg(order_ids)::text[]), sqlc.arg(received_at)::timestamptz, sqlc.arg(due_at)::timestamptz
on conflict on constraint inbox_pkey do nothing;

-- name: InboxBodies :many
select i.marketplace, i.webhook_id, i.body_sha256, i.received_at
from inbox i
join (select unnest(sqlc.arg(marketplaces)::text[]) as marketplace, unnest(sqlc.arg(webhook_ids)::text[]) as webhook_id) wanted
  on i.marketplace = wanted.marketplace and i.webhook_id = wanted.webhook_id;

-- name: UnreadInbox :many
select i.marketplace, i.webhook_id, i.type, i.machine_id, i.order_id, i.attempts, i.received_at
from inbox i
join (select unnest(sqlc.arg(marketplaces)::text[]) as marketplace, unnest(sqlc.arg(webhook_ids)::text[]) as webhook_id) wanted
  on i.marketplace = wanted.marketplace and i.webhook_id = wanted.webhook_id
where i.done_at is null
order by i.received_at;

-- name: TakeDueInbox :many
update inbox i
set due_at = sqlc.arg(lease_until)::timestamptz
from (select q.marketplace, q.webhook_id from inbox q
      where q.done_at is null and q.due_at <= sqlc.arg(now)::timestamptz
      order by q.due_at limit sqlc.arg(row_limit)::integer for update skip locked) due
where i.marketplace = due.marketplace and i.webhook_id = due.webhook_id
returning i.marketplace, i.webhook_id;

-- name: SaveInbox :exec
update inbox i
set done_at = case when n.problem = '' then sqlc.arg(now)::timestamptz end, problem = n.problem, due_at = n.due_at,
    attempts = i.attempts + case when n.due_at < '9998-01-01 00:00:00+00' then 1 else 0 end
from (select unnest(sqlc.arg(marketplaces)::text[]) as marketplace, unnest(sqlc.arg(webhook_ids)::text[]) as webhook_id,
             unnest(sqlc.arg(problems)::text[]) as problem, unnest(sqlc.arg(due_ats)::timestamptz[]) as due_at) n
where i.marketplace = n.marketplace and i.webhook_id = n.webhook_id and i.done_at is null;

-- name: UnparkInbox :execrows
update inbox i
set due_at = sqlc.arg(now)::timestamptz
from (select oldest.marketplace, oldest.webhook_id
      from (select unnest(sqlc.arg(marketplaces)::text[]) as marketplace, unnest(sqlc.arg(row_limits)::integer[]) as row_limit) m
      cross join lateral (select q.marketplace, q.webhook_id from inbox q
                          where q.marketplace = m.marketplace and q.done_at is null and q.due_at = '9998-01-01 00:00:00+00'
                          order by q.received_at limit m.row_limit for update skip locked) oldest) parked
where i.marketplace = parked.marketplace and i.webhook_id = parked.webhook_id;
