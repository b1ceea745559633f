-- name: LockKey :one
-- Holds off a revocation until the commit, and what the same one decides meanwhile: decisions add up.
select id from api_keys where id = sqlc.arg(id) and revoked_at is null for no key update;

-- name: LockPerson :one
select id from persons where id = sqlc.arg(id) and revoked_at is null for no key update;

-- name: WeighDecisions :one
-- What has been decided about the asset: by the actor since a time, and about the payment ever. Requests that wait count.
select (coalesce((select sum(e.weight) from payment_events e join payments p on p.id = e.payment_id
                  where e.actor = sqlc.arg(actor) and e.weight is not null and e.at > sqlc.arg(since)::timestamptz
                    and p.chain = sqlc.arg(chain)::text and p.token = sqlc.arg(token)::bytea), 0)
      + coalesce((select sum(a.amount) from approvals a
                  where a.state = 'pending' and a.requester = sqlc.arg(actor) and a.expires_at > sqlc.arg(now)::timestamptz
                    and a.chain = sqlc.arg(chain)::text and a.token = sqlc.arg(token)::bytea), 0))::text as by_actor,
       (coalesce((select sum(e.weight) from payment_events e where e.payment_id = sqlc.arg(payment_id)), 0)
      + coalesce((select sum(a.amount) from approvals a
                  where a.state = 'pending' and a.payment_id = sqlc.arg(payment_id) and a.expires_at > sqlc.arg(now)::timestamptz), 0))::text as of_payment;

-- name: InsertApproval :exec
insert into approvals (id, payment_id, version, action, txid, position, reason, chain, token, amount, receiver, part, hash, event_id,
                       requester, requester_name, requester_key, origin, needed, because, state, created_at, expires_at, to_payee, to_payer)
values (sqlc.arg(id), sqlc.arg(payment_id), sqlc.arg(version), sqlc.arg(action), sqlc.narg(txid), sqlc.arg(position), sqlc.arg(reason),
        sqlc.arg(chain), sqlc.arg(token), sqlc.arg(amount)::text::numeric, sqlc.arg(receiver), sqlc.arg(part), sqlc.arg(hash), sqlc.arg(event_id),
        sqlc.arg(requester), sqlc.arg(requester_name), sqlc.narg(requester_key), sqlc.arg(origin), sqlc.arg(needed), sqlc.arg(because), 'pending',
        sqlc.arg(now), sqlc.arg(expires_at), sqlc.narg(to_payee)::text::numeric, sqlc.narg(to_payer)::text::numeric);

-- name: ApprovalOfEvent :one
select id from approvals where payment_id = sqlc.arg(payment_id) and event_id = sqlc.arg(event_id);

-- name: LockApproval :exec
select id from approvals where id = sqlc.arg(id) for update;

-- name: Approvals :many
select a.id, a.payment_id, a.version, a.action, a.txid, a.position, a.reason, a.chain, a.token, a.amount::text as amount, a.receiver, a.part, a.hash,
       a.event_id, a.requester, a.requester_name, a.requester_key, a.origin, a.needed, a.because, a.state, a.created_at, a.expires_at, a.decided_at,
       (a.to_payee is not null)::boolean as divides, coalesce(a.to_payee, 0)::text as to_payee, coalesce(a.to_payer, 0)::text as to_payer,
       stands(p.id, a.version) as stands, p.marketplace, p.order_id, p.token_symbol, p.token_decimals
from approvals a join payments p on p.id = a.payment_id
where a.id = any(sqlc.arg(ids)::uuid[])
order by a.id;

-- name: PendingApprovals :many
select a.id
from approvals a join payments p on p.id = a.payment_id
where a.state = 'pending' and (sqlc.arg(all_marketplaces)::boolean or p.marketplace = sqlc.arg(marketplace)::text)
  and a.expires_at > sqlc.arg(now)::timestamptz and stands(p.id, a.version) and a.id > sqlc.arg(after)::uuid
order by a.id
limit sqlc.arg(row_limit)::integer;

-- name: ApprovalsOfPayment :many
select a.id
from approvals a join payments p on p.id = a.payment_id
where a.payment_id = sqlc.arg(payment_id)::uuid and (sqlc.arg(all_marketplaces)::boolean or p.marketplace = sqlc.arg(marketplace)::text)
  and a.id > sqlc.arg(after)::uuid
order by a.id
limit sqlc.arg(row_limit)::integer;

-- name: CountPendingApprovals :one
select count(*) as count, coalesce(min(a.created_at), 'epoch')::timestamptz as oldest
from approvals a join payments p on p.id = a.payment_id
where a.state = 'pending' and (sqlc.arg(all_marketplaces)::boolean or p.marketplace = sqlc.arg(marketplace)::text)
  and a.expires_at > sqlc.arg(now)::timestamptz and stands(p.id, a.version);

-- name: ApprovalVotes :many
select v.approval_id, v.approver, p.name, v.vote, v.reason, v.origin, v.at
from approval_votes v join persons p on p.id = v.approver
where v.approval_id = any(sqlc.arg(ids)::uuid[])
order by v.at, v.approver;

-- name: InsertVote :exec
insert into approval_votes (approval_id, requester, approver, vote, hash, reason, origin, at)
values (sqlc.arg(approval_id), sqlc.arg(requester), sqlc.arg(approver), sqlc.arg(vote), sqlc.arg(hash), sqlc.arg(reason), sqlc.arg(origin), sqlc.arg(now));

-- name: DecideApproval :execrows
update approvals set state = sqlc.arg(state), decided_at = sqlc.arg(now)::timestamptz where id = sqlc.arg(id) and state = 'pending';

-- name: Stands :one
select stands(sqlc.arg(payment_id)::uuid, sqlc.arg(version)::bigint)::boolean;
