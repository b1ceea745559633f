-- name: InsertPayments :many
insert into payments (id, marketplace, order_id, machine_id, version, state, rail, pay_token_hash, due_at, created_at, updated_at)
select unnest(sqlc.arg(ids)::uuid[]), unnest(sqlc.arg(marketplaces)::text[]), unnest(sqlc.arg(order_ids)::text[]), unnest(sqlc.arg(machine_ids)::text[]),
       1, 'new', unnest(sqlc.arg(rails)::text[]), unnest(sqlc.arg(pay_token_hashes)::bytea[]), sqlc.arg(due_at)::timestamptz, sqlc.arg(now)::timestamptz, sqlc.arg(now)::timestamptz
on conflict on constraint payments_one_per_order do nothing
returning id;

-- name: PaymentIDsOfOrders :many
select p.id, p.marketplace, p.order_id
from payments p
join (select unnest(sqlc.arg(marketplaces)::text[]) as marketplace, unnest(sqlc.arg(order_ids)::text[]) as order_id) wanted
  on p.marketplace = wanted.marketplace and p.order_id = wanted.order_id;

-- name: LockPayments :many
select id, marketplace, order_id, machine_id, version, state, back, flags, reason, detail, rail,
       chain, token, token_symbol, token_decimals, payee, coalesce(amount, 0)::text as amount, rounded, proven_payer, named_payer,
       not_before, from_block, deadline, grace_seconds, named_txid, paid_by, platform, observed, created_at, updated_at
from payments
where id = any(sqlc.arg(ids)::uuid[])
order by id
for update;

-- name: Payments :many
select id, marketplace, order_id, machine_id, version, state, back, flags, reason, detail, rail,
       chain, token, token_symbol, token_decimals, payee, coalesce(amount, 0)::text as amount, rounded, proven_payer, named_payer,
       not_before, from_block, deadline, grace_seconds, named_txid, paid_by, platform, observed, created_at, updated_at
from payments
where id = any(sqlc.arg(ids)::uuid[])
order by id;

-- name: PaymentIDByPayToken :one
select id from payments where pay_token_hash = sqlc.arg(hash);

-- name: ListPaymentIDs :many
select id from payments
where (sqlc.arg(all_marketplaces)::boolean or marketplace = sqlc.arg(marketplace)::text)
  and (sqlc.arg(state)::text = '' or state = sqlc.arg(state)::text)
  and (sqlc.arg(flag)::text = '' or sqlc.arg(flag)::text = any(flags))
  and (sqlc.arg(order_id)::text = '' or order_id = sqlc.arg(order_id)::text)
  and id > sqlc.arg(after)::uuid
order by id
limit sqlc.arg(row_limit)::integer;

-- name: SavePayments :execrows
update payments p
set version = n.version, state = n.state, back = n.back, flags = string_to_array(n.flags, ','),
    reason = n.reason, detail = n.detail, named_txid = n.named_txid, paid_by = n.paid_by, platform = n.platform,
    observed = n.observed, due_at = n.due_at, attempts = 0, job_id = null, posting_since = null,
    changed_xid = pg_current_xact_id(), updated_at = sqlc.arg(now)::timestamptz,
    finished_at = case when n.state in ('released', 'refunded', 'split', 'closed') then coalesce(p.finished_at, sqlc.arg(now)::timestamptz) end
from (select unnest(sqlc.arg(ids)::uuid[]) as id, unnest(sqlc.arg(versions)::bigint[]) as version, unnest(sqlc.arg(states)::text[]) as state,
             unnest(sqlc.arg(backs)::text[]) as back, unnest(sqlc.arg(flags)::text[]) as flags, unnest(sqlc.arg(reasons)::text[]) as reason,
             unnest(sqlc.arg(details)::text[]) as detail, unnest(sqlc.arg(named_txids)::bytea[]) as named_txid,
             unnest(sqlc.arg(paid_bys)::bytea[]) as paid_by, unnest(sqlc.arg(platforms)::text[]) as platform,
             unnest(sqlc.arg(observeds)::boolean[]) as observed, unnest(sqlc.arg(due_ats)::timestamptz[]) as due_at,
             unnest(sqlc.arg(old_versions)::bigint[]) as old_version) n
where p.id = n.id and p.version = n.old_version;

-- name: SetTerms :execrows
update payments p
set chain = n.chain, token = n.token, token_symbol = n.token_symbol, token_decimals = n.token_decimals, payee = n.payee,
    amount = n.amount::numeric, rounded = n.rounded, proven_payer = n.proven_payer, named_payer = n.named_payer,
    not_before = n.not_before, from_block = n.from_block, deadline = n.deadline, grace_seconds = n.grace_seconds,
    opened_xid = pg_current_xact_id()
from (select unnest(sqlc.arg(ids)::uuid[]) as id, unnest(sqlc.arg(chains)::text[]) as chain, unnest(sqlc.arg(tokens)::bytea[]) as token,
             unnest(sqlc.arg(token_symbols)::text[]) as token_symbol, unnest(sqlc.arg(token_decimals)::smallint[]) as token_decimals,
             unnest(sqlc.arg(payees)::bytea[]) as payee, unnest(sqlc.arg(amounts)::text[]) as amount, unnest(sqlc.arg(roundeds)::boolean[]) as rounded,
             unnest(sqlc.arg(proven_payers)::bytea[]) as proven_payer, unnest(sqlc.arg(named_payers)::bytea[]) as named_payer,
             unnest(sqlc.arg(not_befores)::timestamptz[]) as not_before, unnest(sqlc.arg(from_blocks)::bigint[]) as from_block,
             unnest(sqlc.arg(deadlines)::timestamptz[]) as deadline, unnest(sqlc.arg(grace_seconds)::integer[]) as grace_seconds) n
where p.id = n.id and p.payee is null;

-- name: ClaimPayments :many
-- A payment is worked on by one job at a time. A job that is run again after a crash goes on at once; another waits
-- until the lease in due_at is over. Beside these two states a payment has work only while a transaction is named: a job
-- that comes late must not leave a lease on one that merely waits. A due time that is nearly the lease stays, because
-- changing it would rewrite every index of the row.
update payments p
set job_id = sqlc.arg(job_id)::bigint,
    due_at = case when old.due_at >= sqlc.arg(lease_until)::timestamptz - interval '5 seconds' then old.due_at else sqlc.arg(lease_until)::timestamptz end,
    posting_since = case when sqlc.arg(posting)::boolean then coalesce(old.posting_since, sqlc.arg(now)::timestamptz) else old.posting_since end
from (select q.id, q.posting_since, q.attempts, q.due_at from payments q
      where q.id = any(sqlc.arg(ids)::uuid[]) and q.state = any(sqlc.arg(states)::text[])
        and (q.named_txid is not null or q.state in ('new', 'verified'))
        and (q.job_id is null or q.job_id = sqlc.arg(job_id)::bigint or q.due_at <= sqlc.arg(now)::timestamptz)
      order by q.id for update) old
where p.id = old.id
returning p.id, p.version, (old.posting_since is not null)::boolean as was_posting, old.attempts;

-- name: PostponePayments :exec
-- The version guards against a payment that has moved on since, the job against one that another job has taken over.
update payments p
set due_at = n.due_at, attempts = p.attempts + 1, job_id = null,
    posting_since = case when n.unknown then p.posting_since end
from (select unnest(sqlc.arg(ids)::uuid[]) as id, unnest(sqlc.arg(versions)::bigint[]) as version,
             unnest(sqlc.arg(due_ats)::timestamptz[]) as due_at, unnest(sqlc.arg(unknowns)::boolean[]) as unknown) n
where p.id = n.id and p.version = n.version and p.job_id = sqlc.arg(job_id)::bigint;

-- name: TakeDuePayments :many
update payments p
set due_at = sqlc.arg(lease_until)::timestamptz, job_id = null
from (select q.id from payments q where q.due_at <= sqlc.arg(now)::timestamptz and q.due_at < '9999-01-01 00:00:00+00'
      order by q.due_at limit sqlc.arg(row_limit)::integer for update skip locked) due
where p.id = due.id
returning p.id, p.state, p.version;

-- name: OpenForTransfers :many
-- For each transfer the payments it could pay: by proven payer, by named payer, and by amount alone. Each list is cut:
-- more than the cut is ambiguous in any case. The price has lists of its own, so that the order at the price is found
-- however many others its payer has open. Last those that are settled and would be paid twice.
select wanted.n::integer as n, p.id, p.open, p.token_symbol, p.token_decimals, p.amount::text as amount, p.proven_payer, p.named_payer,
       p.not_before, p.from_block, p.deadline, p.grace_seconds
from (select unnest(sqlc.arg(ns)::integer[]) as n, unnest(sqlc.arg(chains)::text[]) as chain, unnest(sqlc.arg(tokens)::bytea[]) as token,
             unnest(sqlc.arg(payers)::bytea[]) as payer, unnest(sqlc.arg(payees)::bytea[]) as payee, unnest(sqlc.arg(amounts)::text[])::numeric as amount,
             unnest(sqlc.arg(block_numbers)::bigint[]) as block_number,
             unnest(sqlc.arg(txids)::bytea[]) as txid) wanted
cross join lateral (
    (select q.id from payments q
     where q.open and q.chain = wanted.chain and q.token = wanted.token and q.payee = wanted.payee
       and q.proven_payer = wanted.payer and q.amount = wanted.amount and q.from_block < wanted.block_number limit 11)
    union
    (select q.id from payments q
     where q.open and q.chain = wanted.chain and q.token = wanted.token and q.payee = wanted.payee
       and q.proven_payer = wanted.payer and q.from_block < wanted.block_number limit 11)
    union
    (select q.id from payments q
     where q.open and q.chain = wanted.chain and q.token = wanted.token and q.payee = wanted.payee
       and q.named_payer = wanted.payer and q.amount = wanted.amount and q.from_block < wanted.block_number limit 11)
    union
    (select q.id from payments q
     where q.open and q.chain = wanted.chain and q.token = wanted.token and q.payee = wanted.payee
       and q.named_payer = wanted.payer and q.from_block < wanted.block_number limit 11)
    union
    (select q.id from payments q
     where q.open and q.chain = wanted.chain and q.token = wanted.token and q.payee = wanted.payee
       and q.amount = wanted.amount and q.from_block < wanted.block_number limit 3)
    union
    (select q.id from payments q
     where q.watched and not q.open and q.chain = wanted.chain and q.token = wanted.token and q.payee = wanted.payee
       and q.proven_payer = wanted.payer and q.from_block < wanted.block_number and q.amount = wanted.amount
       and q.paid_by is distinct from wanted.txid limit 2)
    union
    (select q.id from payments q
     where q.watched and not q.open and q.chain = wanted.chain and q.token = wanted.token and q.payee = wanted.payee
       and q.named_payer = wanted.payer and q.from_block < wanted.block_number and q.amount = wanted.amount
       and q.paid_by is distinct from wanted.txid limit 2)
) candidate
join payments p on p.id = candidate.id
order by n, p.id;

-- name: WatchChanges :many
select id, chain, token, payee, from_block, watched
from payments
where changed_xid >= sqlc.arg(since)::text::xid8 and payee is not null;

-- name: WatchedPayments :many
-- fresh: opened after the last look that the chain's cursor vouches for.
select p.id, p.chain, p.token, p.payee, p.from_block, (p.opened_xid >= coalesce(c.watch_xid, '0'::xid8))::boolean as fresh
from payments p
left join chains c on c.chain = p.chain
where p.watched;

-- name: Snapshot :one
select pg_snapshot_xmin(pg_current_snapshot())::text;
