-- name: InsertPayments :many
insert into payments (id, marketplace, order_id, machine_id, version, state, rail, pay_token_hash, due_at, created_at, updated_at, state_since)
select unnest(sqlc.arg(ids)::uuid[]), unnest(sqlc.arg(marketplaces)::text[]), unnest(sqlc.arg(order_ids)::text[]), unnest(sqlc.arg(machine_ids)::text[]),
       1, 'new', unnest(sqlc.arg(rails)::text[]), unnest(sqlc.arg(pay_token_hashes)::bytea[]), sqlc.arg(due_at)::timestamptz, sqlc.arg(now)::timestamptz, sqlc.arg(now)::timestamptz, sqlc.arg(now)::timestamptz
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
       reference, not_before, from_block, deadline, grace_seconds, named_txid, paid_by, platform, observed, custody, payout, paid_out,
       under_by::text as under_by, over_by::text as over_by, parts, late_seconds, any_payer, received::text as received, created_at, updated_at
from payments
where id = any(sqlc.arg(ids)::uuid[])
order by id
for update;

-- name: Payments :many
select id, marketplace, order_id, machine_id, version, state, back, flags, reason, detail, rail,
       chain, token, token_symbol, token_decimals, payee, coalesce(amount, 0)::text as amount, rounded, proven_payer, named_payer,
       reference, not_before, from_block, deadline, grace_seconds, named_txid, paid_by, platform, observed, custody, payout, paid_out,
       under_by::text as under_by, over_by::text as over_by, parts, late_seconds, any_payer, received::text as received, created_at, updated_at
from payments
where id = any(sqlc.arg(ids)::uuid[])
order by id;

-- name: PaymentIDByPayToken :one
select id from payments where pay_token_hash = sqlc.arg(hash);

-- name: SavePayments :execrows
update payments p
set version = n.version, state = n.state, back = n.back, flags = string_to_array(n.flags, ','),
    reason = n.reason, detail = n.detail, named_txid = n.named_txid, paid_by = n.paid_by, platform = n.platform,
    observed = n.observed, payout = n.payout, paid_out = n.paid_out, received = n.received::numeric, due_at = n.due_at, attempts = 0, job_id = null, posting_since = null,
    named_sender = case when n.named_txid = p.named_txid then p.named_sender end,
    named_nonce = case when n.named_txid = p.named_txid then p.named_nonce end,
    updated_at = sqlc.arg(now)::timestamptz,
    state_since = case when n.state = p.state then p.state_since else sqlc.arg(now)::timestamptz end,
    finished_at = case when n.state in ('released', 'refunded', 'split', 'closed') then coalesce(p.finished_at, sqlc.arg(now)::timestamptz) end
from (select unnest(sqlc.arg(ids)::uuid[]) as id, unnest(sqlc.arg(versions)::bigint[]) as version, unnest(sqlc.arg(states)::text[]) as state,
             unnest(sqlc.arg(backs)::text[]) as back, unnest(sqlc.arg(flags)::text[]) as flags, unnest(sqlc.arg(reasons)::text[]) as reason,
             unnest(sqlc.arg(details)::text[]) as detail, unnest(sqlc.arg(named_txids)::bytea[]) as named_txid,
             unnest(sqlc.arg(paid_bys)::bytea[]) as paid_by, unnest(sqlc.arg(platforms)::text[]) as platform,
             unnest(sqlc.arg(observeds)::boolean[]) as observed, unnest(sqlc.arg(payouts)::text[]) as payout,
             unnest(sqlc.arg(paid_outs)::bytea[]) as paid_out, unnest(sqlc.arg(receiveds)::text[]) as received, unnest(sqlc.arg(due_ats)::timestamptz[]) as due_at,
             unnest(sqlc.arg(old_versions)::bigint[]) as old_version) n
where p.id = n.id and p.version = n.old_version;

-- name: SetTerms :execrows
update payments p
set chain = n.chain, token = n.token, token_symbol = n.token_symbol, token_decimals = n.token_decimals, payee = n.payee,
    amount = n.amount::numeric, rounded = n.rounded, proven_payer = n.proven_payer, named_payer = n.named_payer, reference = n.reference,
    not_before = n.not_before, from_block = n.from_block, deadline = n.deadline, grace_seconds = n.grace_seconds, custody = n.custody,
    under_by = n.under_by::numeric, over_by = n.over_by::numeric, parts = n.parts, late_seconds = n.late_seconds, any_payer = n.any_payer,
    opened_xid = pg_current_xact_id(), changed_xid = pg_current_xact_id()
from (select unnest(sqlc.arg(ids)::uuid[]) as id, unnest(sqlc.arg(chains)::text[]) as chain, unnest(sqlc.arg(tokens)::bytea[]) as token,
             unnest(sqlc.arg(token_symbols)::text[]) as token_symbol, unnest(sqlc.arg(token_decimals)::smallint[]) as token_decimals,
             unnest(sqlc.arg(payees)::bytea[]) as payee, unnest(sqlc.arg(amounts)::text[]) as amount, unnest(sqlc.arg(roundeds)::boolean[]) as rounded,
             unnest(sqlc.arg(proven_payers)::bytea[]) as proven_payer, unnest(sqlc.arg(named_payers)::bytea[]) as named_payer,
             unnest(sqlc.arg(payment_references)::bytea[]) as reference,
             unnest(sqlc.arg(not_befores)::timestamptz[]) as not_before, unnest(sqlc.arg(from_blocks)::bigint[]) as from_block,
             unnest(sqlc.arg(deadlines)::timestamptz[]) as deadline, unnest(sqlc.arg(grace_seconds)::integer[]) as grace_seconds,
             unnest(sqlc.arg(custodies)::text[]) as custody, unnest(sqlc.arg(under_bys)::text[]) as under_by,
             unnest(sqlc.arg(over_bys)::text[]) as over_by, unnest(sqlc.arg(parts)::boolean[]) as parts,
             unnest(sqlc.arg(late_seconds)::integer[]) as late_seconds, unnest(sqlc.arg(any_payers)::boolean[]) as any_payer) n
where p.id = n.id and p.payee is null;

-- name: ClaimPayments :many
-- A payment is worked on by one job at a time. A job that is run again after a crash goes on at once; another waits
-- until the lease in due_at is over. Beside these states a payment has work only while a transaction is named: a job
-- that comes late must not leave a lease on one that merely waits. A due time that is nearly the lease stays, because
-- changing it would rewrite every index of the row.
update payments p
set job_id = sqlc.arg(job_id)::bigint,
    due_at = case when old.due_at >= sqlc.arg(lease_until)::timestamptz - interval '5 seconds' then old.due_at else sqlc.arg(lease_until)::timestamptz end,
    posting_since = case when sqlc.arg(posting)::boolean then coalesce(old.posting_since, sqlc.arg(now)::timestamptz) else old.posting_since end
from (select q.id, q.posting_since, q.attempts, q.due_at from payments q
      where q.id = any(sqlc.arg(ids)::uuid[]) and q.state = any(sqlc.arg(states)::text[])
        and (q.named_txid is not null or q.state in ('new', 'verified', 'frozen', 'release_pending', 'refund_pending', 'split_pending'))
        and (q.job_id is null or q.job_id = sqlc.arg(job_id)::bigint or q.due_at <= sqlc.arg(now)::timestamptz)
      order by q.id for update) old
where p.id = old.id
returning p.id, p.marketplace, p.order_id, p.machine_id, p.version, p.state, p.back, p.flags, p.reason, p.detail, p.rail,
       p.chain, p.token, p.token_symbol, p.token_decimals, p.payee, coalesce(p.amount, 0)::text as amount, p.rounded, p.proven_payer, p.named_payer,
       p.reference, p.not_before, p.from_block, p.deadline, p.grace_seconds, p.named_txid, p.paid_by, p.platform, p.observed, p.custody, p.payout, p.paid_out,
       p.under_by::text as under_by, p.over_by::text as over_by, p.parts, p.late_seconds, p.any_payer, p.received::text as received, p.created_at, p.updated_at,
       (old.posting_since is not null)::boolean as was_posting, old.attempts, p.named_sender, coalesce(p.named_nonce, 0)::text as named_nonce;

-- name: PostponePayments :exec
-- The version guards against a payment that has moved on since, the job against one that another job has taken over.
update payments p
set due_at = n.due_at, attempts = p.attempts + case when n.due_at < '9998-01-01 00:00:00+00' then 1 else 0 end, job_id = null,
    posting_since = case when n.unknown then p.posting_since end,
    named_sender = coalesce(n.sender, p.named_sender), named_nonce = case when n.sender is null then p.named_nonce else n.nonce::numeric end
from (select unnest(sqlc.arg(ids)::uuid[]) as id, unnest(sqlc.arg(versions)::bigint[]) as version,
             unnest(sqlc.arg(due_ats)::timestamptz[]) as due_at, unnest(sqlc.arg(unknowns)::boolean[]) as unknown,
             unnest(sqlc.arg(senders)::bytea[]) as sender, unnest(sqlc.arg(nonces)::text[]) as nonce) n
where p.id = n.id and p.version = n.version and p.job_id = sqlc.arg(job_id)::bigint;

-- name: UnparkPayments :execrows
update payments p
set due_at = sqlc.arg(now)::timestamptz
from (select oldest.id
      from (select unnest(sqlc.arg(marketplaces)::text[]) as marketplace, unnest(sqlc.arg(row_limits)::integer[]) as row_limit) m
      cross join lateral (select q.id from payments q where q.marketplace = m.marketplace and q.due_at = '9998-01-01 00:00:00+00'
                          order by q.id limit m.row_limit for update skip locked) oldest) parked
where p.id = parked.id;

-- name: TakeDuePayments :many
update payments p
set due_at = sqlc.arg(lease_until)::timestamptz, job_id = null
from (select q.id from payments q where q.due_at <= sqlc.arg(now)::timestamptz and q.due_at < '9999-01-01 00:00:00+00'
      order by q.due_at limit sqlc.arg(row_limit)::integer for update skip locked) due
where p.id = due.id
returning p.id, p.state, p.version;

-- name: EndWatch :exec
-- Only of final payments: nothing that could still be paid is left alone.
update payments
set watch_over = true, due_at = '9999-01-01 00:00:00+00', changed_xid = pg_current_xact_id()
where id = any(sqlc.arg(ids)::uuid[]) and finished_at is not null;

-- name: RestPayments :exec
update payments set due_at = '9999-01-01 00:00:00+00' where id = any(sqlc.arg(ids)::uuid[]);

-- name: OpenAtPrice :many
-- For each transfer the open payments that miss exactly its amount, and whose proven payer pays it or for which the payer has
-- signed its transaction. Cut: more than one is ambiguous in any case.
select wanted.n::integer as n, p.id, p.open, p.token_symbol, p.token_decimals, p.amount::text as amount, p.proven_payer, p.named_payer, p.reference,
       p.not_before, p.from_block, p.deadline, p.grace_seconds, p.custody, p.under_by::text as under_by, p.over_by::text as over_by, p.parts,
       p.late_seconds, p.any_payer, p.received::text as received,
       exists (select from payer_proofs f
               where f.chain = wanted.chain and f.txid = wanted.txid and f.signer = wanted.payer and f.payment_id = p.id)::boolean as signed
from (select unnest(sqlc.arg(ns)::integer[]) as n, unnest(sqlc.arg(chains)::text[]) as chain, unnest(sqlc.arg(tokens)::bytea[]) as token,
             unnest(sqlc.arg(payers)::bytea[]) as payer, unnest(sqlc.arg(payees)::bytea[]) as payee, unnest(sqlc.arg(amounts)::text[])::numeric as amount,
             unnest(sqlc.arg(block_numbers)::bigint[]) as block_number,
             unnest(sqlc.arg(txids)::bytea[]) as txid) wanted
cross join lateral (
    (select q.id from payments q
     where q.open and q.chain = wanted.chain and q.token = wanted.token and q.payee = wanted.payee
       and q.proven_payer = wanted.payer and q.due = wanted.amount and q.from_block < wanted.block_number limit 11)
    union
    (select q.id from payer_proofs f join payments q on q.id = f.payment_id
     where f.chain = wanted.chain and f.txid = wanted.txid and f.signer = wanted.payer
       and q.open and q.chain = wanted.chain and q.token = wanted.token and q.payee = wanted.payee
       and q.due = wanted.amount and q.from_block < wanted.block_number limit 11)
) candidate
join payments p on p.id = candidate.id;

-- name: OpenForTransfers :many
-- For each transfer the payments it could pay: by what its payer signed, by proven payer, by named payer, and by amount
-- alone. Each list is cut: more than the cut is ambiguous in any case. The price has lists of its own, so that the order at
-- the price is found however many others its payer has open. Then those that are settled and would be paid twice, and last
-- those whose reference the transfer names: ref_ns and reference_keys are pairs of a transfer's n and a key that it names;
-- and the one whose vault it is paid into.
select wanted.n::integer as n, p.id, p.open, p.token_symbol, p.token_decimals, p.amount::text as amount, p.proven_payer, p.named_payer, p.reference,
       p.not_before, p.from_block, p.deadline, p.grace_seconds, p.custody, p.under_by::text as under_by, p.over_by::text as over_by, p.parts,
       p.late_seconds, p.any_payer, p.received::text as received,
       exists (select from payer_proofs f
               where f.chain = wanted.chain and f.txid = wanted.txid and f.signer = wanted.payer and f.payment_id = p.id)::boolean as signed
from (select unnest(sqlc.arg(ns)::integer[]) as n, unnest(sqlc.arg(chains)::text[]) as chain, unnest(sqlc.arg(tokens)::bytea[]) as token,
             unnest(sqlc.arg(payers)::bytea[]) as payer, unnest(sqlc.arg(payees)::bytea[]) as payee, unnest(sqlc.arg(amounts)::text[])::numeric as amount,
             unnest(sqlc.arg(block_numbers)::bigint[]) as block_number,
             unnest(sqlc.arg(txids)::bytea[]) as txid) wanted
cross join lateral (
    (select q.id from payer_proofs f join payments q on q.id = f.payment_id
     where f.chain = wanted.chain and f.txid = wanted.txid and f.signer = wanted.payer
       and q.open and q.chain = wanted.chain and q.token = wanted.token and q.payee = wanted.payee
       and q.due = wanted.amount and q.from_block < wanted.block_number limit 11)
    union
    (select q.id from payer_proofs f join payments q on q.id = f.payment_id
     where f.chain = wanted.chain and f.txid = wanted.txid and f.signer = wanted.payer
       and q.open and q.chain = wanted.chain and q.token = wanted.token and q.payee = wanted.payee
       and q.from_block < wanted.block_number limit 11)
    union
    (select q.id from payments q
     where q.open and q.chain = wanted.chain and q.token = wanted.token and q.payee = wanted.payee
       and q.proven_payer = wanted.payer and q.due = wanted.amount and q.from_block < wanted.block_number limit 11)
    union
    (select q.id from payments q
     where q.open and q.chain = wanted.chain and q.token = wanted.token and q.payee = wanted.payee
       and q.proven_payer = wanted.payer and q.from_block < wanted.block_number limit 11)
    union
    (select q.id from payments q
     where q.open and q.chain = wanted.chain and q.token = wanted.token and q.payee = wanted.payee
       and q.named_payer = wanted.payer and q.due = wanted.amount and q.from_block < wanted.block_number limit 11)
    union
    (select q.id from payments q
     where q.open and q.chain = wanted.chain and q.token = wanted.token and q.payee = wanted.payee
       and q.named_payer = wanted.payer and q.from_block < wanted.block_number limit 11)
    union
    (select q.id from payments q
     where q.open and q.chain = wanted.chain and q.token = wanted.token and q.payee = wanted.payee
       and q.due = wanted.amount and q.from_block < wanted.block_number limit 3)
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
    union
    (select q.id
     from (select unnest(sqlc.arg(ref_ns)::integer[]) as n, unnest(sqlc.arg(reference_keys)::bytea[]) as key) named
     join payments q on q.reference = named.key
     where named.n = wanted.n and q.watched and q.chain = wanted.chain and q.token = wanted.token and q.payee = wanted.payee
       and q.from_block < wanted.block_number and (q.open or q.paid_by is distinct from wanted.txid))
    union
    (select q.id from payments q
     where q.custody = 'vault' and q.watched and q.chain = wanted.chain and q.token = wanted.token and q.payee = wanted.payee
       and q.from_block < wanted.block_number and (q.open or q.paid_by is distinct from wanted.txid))
) candidate
join payments p on p.id = candidate.id
order by n, p.id;

-- name: WatchChanges :many
select id, chain, token, payee, from_block, watched, custody = 'vault' as vault,
       state in ('awaiting_payment', 'verifying', 'confirming') as awaited, created_at
from payments
where changed_xid >= sqlc.arg(since)::text::xid8 and payee is not null;

-- name: WatchedPayments :many
-- fresh: opened after the last look that the cursor of the payee's accounts, or else the chain's, vouches for.
select p.id, p.chain, p.token, p.payee, p.from_block, (p.opened_xid >= coalesce(
           (select a.watch_xid from account_cursors a where a.chain = p.chain and a.token = p.token and a.payee = p.payee order by a.watch_xid limit 1),
           c.watch_xid, '0'::xid8))::boolean as fresh, p.custody = 'vault' as vault,
       p.state in ('awaiting_payment', 'verifying', 'confirming') as awaited, p.created_at
from payments p
left join chains c on c.chain = p.chain
where p.watched;

-- name: Snapshot :one
select pg_snapshot_xmin(pg_current_snapshot())::text;

-- name: RedatePayments :exec
-- Of payments that were taken as due and are not.
update payments p
set due_at = n.due_at
from (select unnest(sqlc.arg(ids)::uuid[]) as id, unnest(sqlc.arg(versions)::bigint[]) as version, unnest(sqlc.arg(due_ats)::timestamptz[]) as due_at) n
where p.id = n.id and p.version = n.version;
