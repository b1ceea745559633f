-- name: HeldForPayments :many
-- What each payment's vault holds by our books or, of a direct payment, what arrived and was not given back, and which movements
-- there were.
select p.id as payment_id, (p.custody = '')::boolean as direct, b.received::text as received, m.surplus::text as surplus, m.next_part, m.moving,
       (case p.custody when 'vault' then b.held else b.received - m.returned end)::text as held
from payments p
cross join lateral (
    select coalesce(sum(b.amount) filter (where b.account = 'held'), 0) as held, coalesce(-sum(b.amount) filter (where b.account = 'payer'), 0) as received
    from ledger_balances b where b.payment_id = p.id and b.chain = p.chain and b.token = p.token) b
cross join lateral (
    select (coalesce(max(m.part), -1) + 1)::integer as next_part,
           coalesce(bool_or(m.state in ('proposed', 'approved', 'prepared', 'signed', 'sent')), false)::boolean as moving,
           coalesce(sum(m.to_payer) filter (where m.purpose = 'surplus' and m.state not in ('reverted', 'cancelled')), 0) as surplus,
           coalesce(sum(m.to_payer) filter (where m.state not in ('reverted', 'cancelled')), 0) as returned
    from movements m where m.payment_id = p.id) m
where p.id = any(sqlc.arg(payment_ids)::uuid[]) and p.custody in ('', 'vault');

-- name: InsertMovements :exec
insert into movements (payment_id, part, purpose, source, chain, token, vault, receiver, to_payee, to_payer, state, alone, created_at, updated_at)
select p.id, n.part, n.purpose, case n.receiver when '' then 'vault' else 'operator_wallet' end, p.chain, p.token,
       case n.receiver when '' then p.payee end, nullif(n.receiver, ''), n.to_payee::numeric, n.to_payer::numeric, 'approved', n.alone,
       sqlc.arg(now)::timestamptz, sqlc.arg(now)::timestamptz
from (select unnest(sqlc.arg(payment_ids)::uuid[]) as payment_id, unnest(sqlc.arg(parts)::smallint[]) as part, unnest(sqlc.arg(purposes)::text[]) as purpose,
             unnest(sqlc.arg(receivers)::bytea[]) as receiver, unnest(sqlc.arg(to_payees)::text[]) as to_payee,
             unnest(sqlc.arg(to_payers)::text[]) as to_payer, unnest(sqlc.arg(alones)::boolean[]) as alone) n
join payments p on p.id = n.payment_id;

-- name: CancelMovements :exec
-- Only those that have no nonce yet: the others can no longer be taken back. What a payment still asks for is left.
update movements m
set state = 'cancelled', problem = n.problem, updated_at = sqlc.arg(now)::timestamptz
from (select unnest(sqlc.arg(payment_ids)::uuid[]) as payment_id, unnest(sqlc.arg(payouts)::text[]) as payout, unnest(sqlc.arg(returns)::boolean[]) as returns,
             unnest(sqlc.arg(problems)::text[]) as problem) n
where m.payment_id = n.payment_id and m.state in ('proposed', 'approved')
  and case when m.purpose in ('partial_refund', 'surplus') then not n.returns else m.purpose <> n.payout end;

-- name: WaitingMovements :many
-- Of direct payments, or those out of vaults. Those whose vault the payer may take back from soonest go first, and of direct payments those
-- that wait longest. A wallet whose token account is being made or closed waits for that. Those of a failed batch stand alone. What is frozen on the
-- chain the arbiter alone divides; whoever has not his key is refused there, and says so.
select m.payment_id, m.part, m.purpose, m.to_payee::text as to_payee, m.to_payer::text as to_payer, m.state, m.alone, m.problem,
       m.signer, coalesce(m.nonce, 0) as nonce, m.chain, m.token, m.receiver, v.address, v.order_key, coalesce(v.amount, 0)::text as amount, v.payer, v.payee,
       v.operator, v.arbiter, coalesce(v.reclaim_at, m.created_at)::timestamptz as reclaim_at, coalesce(v.dispute_at, m.created_at)::timestamptz as dispute_at,
       coalesce(v.default_to_payee, 0)::text as default_to_payee, coalesce(v.marketplace, '')::text as marketplace, v.derived_for, v.generation, v.epoch,
       exists (select from token_accounts a where a.chain = v.chain and a.vault = v.address and a.state in ('open', 'closing'))::boolean as rent_ours,
       ''::bytea as txid, ''::text as gas
from movements m
left join vaults v on v.chain = m.chain and v.address = m.vault
where m.state = 'approved' and m.chain = sqlc.arg(chain)
  and not exists (select from token_accounts a where a.chain = m.chain and a.vault = m.vault and a.state in ('creating', 'closing'))
  and case when m.source = 'operator_wallet' then sqlc.arg(direct)::boolean
      else not sqlc.arg(direct)::boolean
           and case when sqlc.arg(arbitrated)::boolean and exists (
                        select from vault_events e where e.chain = m.chain and e.vault = m.vault and e.kind = 'frozen' and e.gone_at is null)
               then v.arbiter else v.operator end = sqlc.arg(signer)::bytea end
  and (sqlc.narg(marketplaces)::text[] is null or v.marketplace = any (sqlc.narg(marketplaces)::text[]))
order by coalesce(v.reclaim_at, m.created_at), m.payment_id
limit sqlc.arg(row_limit)::integer;

-- name: VaultsToFreeze :many
-- Of disputed payments whose payer could otherwise take the money back.
select v.address
from payments p
join vaults v on v.payment_id = p.id
where p.state = 'frozen' and p.custody = 'vault' and v.chain = sqlc.arg(chain) and v.arbiter = sqlc.arg(arbiter) and v.reclaim_at > sqlc.arg(now)
  and not exists (select from vault_events e where e.chain = v.chain and e.vault = v.address and e.kind = 'frozen' and e.gone_at is null)
order by v.reclaim_at
limit sqlc.arg(row_limit)::integer;

-- name: SlotsOfCall :one
-- The signer's slots for exactly this call: whether one may have carried it out or still may, and how many have not.
select coalesce(bool_or(s.state <> 'final' or s.problem = '' and s.void = ''), false)::boolean as made,
       count(*) filter (where s.state = 'final' and (s.problem <> '' or s.void <> '')) as failed,
       coalesce(max(s.updated_at), 'epoch')::timestamptz as changed_at,
       coalesce((array_agg(s.txid order by s.nonce desc) filter (where s.state = 'final'))[1], '')::bytea as txid,
       coalesce((array_agg(case s.void when '' then s.problem else s.void end order by s.nonce desc) filter (where s.state = 'final'))[1], '')::text as problem
from signer_slots s
where s.chain = sqlc.arg(chain) and s.signer = sqlc.arg(signer)::bytea and s.target = sqlc.arg(target)::bytea and s.calldata_hash = sha256(sqlc.arg(calldata));

-- name: MovementsOfSlots :many
select m.payment_id, m.part, m.purpose, m.to_payee::text as to_payee, m.to_payer::text as to_payer, m.state, m.alone, m.problem,
       m.signer, coalesce(m.nonce, 0) as nonce, m.chain, m.token, m.receiver, v.address, v.order_key, coalesce(v.amount, 0)::text as amount, v.payer, v.payee,
       v.operator, v.arbiter, coalesce(v.reclaim_at, m.created_at)::timestamptz as reclaim_at, coalesce(v.dispute_at, m.created_at)::timestamptz as dispute_at,
       coalesce(v.default_to_payee, 0)::text as default_to_payee, coalesce(v.marketplace, '')::text as marketplace, v.derived_for, v.generation, v.epoch,
       exists (select from token_accounts a where a.chain = v.chain and a.vault = v.address and a.state in ('open', 'closing'))::boolean as rent_ours,
       ''::bytea as txid, ''::text as gas
from movements m
left join vaults v on v.chain = m.chain and v.address = m.vault
join signer_slots s on s.chain = m.chain and s.signer = m.signer and s.nonce = m.nonce
where s.chain = sqlc.arg(chain) and s.signer = sqlc.arg(signer)::bytea and s.state <> 'final'
order by s.nonce, m.payment_id, m.part;

-- name: MovementsOf :many
select m.payment_id, m.part, m.purpose, m.to_payee::text as to_payee, m.to_payer::text as to_payer, m.state, m.alone, m.problem,
       m.signer, coalesce(m.nonce, 0) as nonce, m.chain, m.token, m.receiver, v.address, v.order_key, coalesce(v.amount, 0)::text as amount, v.payer, v.payee,
       v.operator, v.arbiter, coalesce(v.reclaim_at, m.created_at)::timestamptz as reclaim_at, coalesce(v.dispute_at, m.created_at)::timestamptz as dispute_at,
       coalesce(v.default_to_payee, 0)::text as default_to_payee, coalesce(v.marketplace, '')::text as marketplace, v.derived_for, v.generation, v.epoch,
       exists (select from token_accounts a where a.chain = v.chain and a.vault = v.address and a.state in ('open', 'closing'))::boolean as rent_ours,
       coalesce(s.txid, t.txid, '')::bytea as txid, coalesce(g.amount::text, '')::text as gas
from movements m
left join vaults v on v.chain = m.chain and v.address = m.vault
left join signer_slots s on s.chain = m.chain and s.signer = m.signer and s.nonce = m.nonce
left join lateral (select t.txid from slot_transactions t where t.chain = m.chain and t.signer = m.signer and t.nonce = m.nonce
                   order by t.attempt desc limit 1) t on s.state <> 'prepared'
left join lateral (select l.amount from ledger_entries e join ledger_lines l on l.entry_id = e.id
                   where e.chain = m.chain and e.signer = m.signer and e.nonce = m.nonce and l.account = 'gas') g on true
where m.payment_id = any(sqlc.arg(payment_ids)::uuid[])
order by m.payment_id, m.part;

-- name: InsertSigner :exec
insert into signers (chain, address, next_nonce, durable_nonce, updated_at)
values (sqlc.arg(chain), sqlc.arg(address), sqlc.arg(next_nonce), sqlc.arg(durable_nonce), sqlc.arg(now))
on conflict on constraint signers_pkey do nothing;

-- name: Signer :one
select next_nonce, epoch, stopped, looked_below, durable_nonce from signers where chain = sqlc.arg(chain) and address = sqlc.arg(address);

-- name: Signers :many
select chain, address, next_nonce, stopped from signers order by chain, address;

-- name: TakeSigner :one
update signers set epoch = epoch + 1 where chain = sqlc.arg(chain) and address = sqlc.arg(address) returning epoch;

-- name: HoldSigner :execrows
-- Locks the signer for what the caller's transaction writes, unless another process has taken it over or it was stopped.
select from signers where chain = sqlc.arg(chain) and address = sqlc.arg(address) and epoch = sqlc.arg(epoch) and stopped = '' for update;

-- name: StopSigner :execrows
update signers set stopped = sqlc.arg(reason), updated_at = sqlc.arg(now)
where chain = sqlc.arg(chain) and address = sqlc.arg(address) and stopped = '';

-- name: RestartSigner :execrows
-- The nonce may have moved on by transactions that are none of ours. Never backwards: a nonce has one slot.
update signers set stopped = '', next_nonce = greatest(next_nonce, sqlc.arg(next_nonce)::bigint),
                   looked_below = greatest(looked_below, sqlc.arg(next_nonce)::bigint), updated_at = sqlc.arg(now)
where chain = sqlc.arg(chain) and address = sqlc.arg(address) and stopped <> '';

-- name: SetDurableNonce :exec
update signers set durable_nonce = sqlc.arg(durable_nonce) where chain = sqlc.arg(chain) and address = sqlc.arg(address);

-- name: ReserveSlot :execrows
with lane as (
    update signers g set next_nonce = g.next_nonce + 1, updated_at = sqlc.arg(now)
    where g.chain = sqlc.arg(chain) and g.address = sqlc.arg(signer)::bytea and g.next_nonce = sqlc.arg(nonce)::bigint
    returning g.chain, g.address
)
insert into signer_slots (chain, signer, nonce, target, calldata, calldata_hash, value, gas_limit, state, created_at, updated_at)
select lane.chain, lane.address, sqlc.arg(nonce)::bigint, sqlc.arg(target), sqlc.arg(calldata), sha256(sqlc.arg(calldata)),
       sqlc.arg(value)::text::numeric, sqlc.arg(gas_limit), 'prepared', sqlc.arg(now), sqlc.arg(now)
from lane;

-- name: PrepareMovements :execrows
update movements m
set state = 'prepared', signer = sqlc.arg(signer)::bytea, nonce = sqlc.arg(nonce)::bigint, updated_at = sqlc.arg(now)::timestamptz
from (select unnest(sqlc.arg(payment_ids)::uuid[]) as payment_id, unnest(sqlc.arg(parts)::smallint[]) as part) n
where m.payment_id = n.payment_id and m.part = n.part and m.state = 'approved';

-- name: OpenSlots :many
select s.nonce, s.target, s.calldata, s.value::text as value, s.gas_limit, s.state, s.void, s.updated_at
from signer_slots s
where s.chain = sqlc.arg(chain) and s.signer = sqlc.arg(signer)::bytea and s.state <> 'final'
order by s.nonce;

-- name: TransactionsOfSlots :many
select t.nonce, t.txid, t.raw, t.max_fee::text as max_fee, t.tip::text as tip, t.last_height
from slot_transactions t
join signer_slots s on s.chain = t.chain and s.signer = t.signer and s.nonce = t.nonce
where s.chain = sqlc.arg(chain) and s.signer = sqlc.arg(signer)::bytea and s.state <> 'final'
order by t.nonce, t.attempt;

-- name: InsertSlotTransaction :exec
insert into slot_transactions (chain, signer, nonce, attempt, txid, raw, max_fee, tip, last_height, signed_at)
values (sqlc.arg(chain), sqlc.arg(signer)::bytea, sqlc.arg(nonce)::bigint,
        (select coalesce(max(t.attempt), -1) + 1 from slot_transactions t
         where t.chain = sqlc.arg(chain) and t.signer = sqlc.arg(signer)::bytea and t.nonce = sqlc.arg(nonce)::bigint),
        sqlc.arg(txid), sqlc.arg(raw), sqlc.arg(max_fee)::text::numeric, sqlc.arg(tip)::text::numeric, sqlc.arg(last_height), sqlc.arg(now));

-- name: VoidSlot :execrows
update signer_slots
set void = sqlc.arg(reason)
where chain = sqlc.arg(chain) and signer = sqlc.arg(signer)::bytea and nonce = sqlc.arg(nonce)::bigint and state <> 'final';

-- name: MoveSlot :execrows
update signer_slots
set state = sqlc.arg(state), txid = sqlc.arg(txid), problem = sqlc.arg(problem), block_number = nullif(sqlc.arg(block)::bigint, 0), unseen_hash = sqlc.arg(block_hash),
    updated_at = sqlc.arg(now)
where chain = sqlc.arg(chain) and signer = sqlc.arg(signer)::bytea and nonce = sqlc.arg(nonce)::bigint and state <> 'final';

-- name: MoveMovements :exec
update movements
set state = sqlc.arg(state), updated_at = sqlc.arg(now)
where chain = sqlc.arg(chain) and signer = sqlc.arg(signer)::bytea and nonce = sqlc.arg(nonce)::bigint and state = sqlc.arg(old_state);

-- name: EndMovements :execrows
update movements m
set state = n.state, problem = n.problem, updated_at = sqlc.arg(now)::timestamptz
from (select unnest(sqlc.arg(payment_ids)::uuid[]) as payment_id, unnest(sqlc.arg(parts)::smallint[]) as part,
             unnest(sqlc.arg(states)::text[]) as state, unnest(sqlc.arg(problems)::text[]) as problem) n
where m.payment_id = n.payment_id and m.part = n.part;

-- name: Halted :many
select scope, reason, halted_at from halts where scope in ('*', sqlc.arg(chain)) order by scope;

-- name: Halts :many
select scope, reason, halted_at from halts order by scope;

-- name: InsertHalt :exec
insert into halts (scope, reason, halted_at) values (sqlc.arg(scope), sqlc.arg(reason), sqlc.arg(now))
on conflict on constraint halts_pkey do update set reason = excluded.reason, halted_at = excluded.halted_at;

-- name: DeleteHalt :execrows
delete from halts where scope = sqlc.arg(scope);

-- name: InsertHaltRecord :exec
insert into halt_records (scope, signer, action, reason, actor, name, origin, at)
values (sqlc.arg(scope), sqlc.arg(signer), sqlc.arg(action), sqlc.arg(reason), nullif(sqlc.arg(actor)::uuid, '00000000-0000-0000-0000-000000000000'), sqlc.arg(name),
        sqlc.arg(origin), sqlc.arg(now));

-- name: HaltRecords :many
select scope, signer, action, reason, name, origin, at from halt_records order by id desc limit sqlc.arg(count);

-- name: UnknownVaults :many
select wanted.account::bytea as account
from (select unnest(sqlc.arg(accounts)::bytea[]) as account) wanted
where not exists (select from vaults v where v.chain = sqlc.arg(chain) and v.address = wanted.account);

-- name: DirectRefundAt :one
-- What the signer's nonce was reserved for, where that is the refund of a direct payment.
select m.token, m.receiver, m.to_payer::text as amount
from movements m
where m.chain = sqlc.arg(chain) and m.signer = sqlc.arg(signer)::bytea and m.nonce = sqlc.arg(nonce)::bigint and m.source = 'operator_wallet';

-- name: ReservedSince :many
-- By the time at which the nonce was reserved, whether or not it was signed or sent. A slot that ended without a transaction counts no more.
-- Of the signer, or of all signers that pay out of vaults of the chain.
select m.token, count(*) as payments, sum(m.to_payee + m.to_payer)::text as amount
from signer_slots s
join movements m on m.chain = s.chain and m.signer = s.signer and m.nonce = s.nonce
where s.chain = sqlc.arg(chain) and s.created_at > sqlc.arg(since) and (s.signer, s.nonce) <> (sqlc.arg(signer)::bytea, sqlc.arg(nonce)::bigint)
  and s.signer = any(case when sqlc.arg(all_vaults)::boolean then array(select g.address from signers g where g.chain = sqlc.arg(chain)) else array[sqlc.arg(signer)::bytea] end)
  and (m.source = 'vault' or not sqlc.arg(all_vaults)::boolean)
  and not (s.state = 'final' and s.txid is null)
group by m.token;

-- name: DeadlinesNear :one
-- Of vaults whose money is still to be moved, or frozen, and after their deadline cannot be: how many there are, the earliest deadline, and the
-- most that one's last transaction offers for a unit of gas.
select count(*) as vaults, coalesce(min(n.deadline), 'epoch')::timestamptz as earliest, coalesce(max(n.max_fee), 0)::text as max_fee
from (
    select case when exists (select from vault_events e where e.chain = v.chain and e.vault = v.address and e.kind = 'frozen' and e.gone_at is null)
                then v.dispute_at else v.reclaim_at end as deadline,
           (select t.max_fee from slot_transactions t where t.chain = m.chain and t.signer = m.signer and t.nonce = m.nonce order by t.attempt desc limit 1) as max_fee
    from movements m join vaults v on v.chain = m.chain and v.address = m.vault
    where m.chain = sqlc.arg(chain) and m.state in ('proposed', 'approved', 'prepared', 'signed', 'sent')
    union all
    select v.reclaim_at, null
    from payments p join vaults v on v.payment_id = p.id
    where p.state = 'frozen' and p.custody = 'vault' and v.chain = sqlc.arg(chain)
      and not exists (select from vault_events e where e.chain = v.chain and e.vault = v.address and e.kind = 'frozen' and e.gone_at is null)) n
where n.deadline > sqlc.arg(now)::timestamptz and n.deadline < sqlc.arg(until)::timestamptz;

-- name: LoseRefunds :many
-- Refunds of direct payments whose block has left the chain, among those that the watcher had seen there. told: everybody was told that the
-- payment's money moved by it.
update signer_slots s set gone_at = sqlc.arg(now)::timestamptz
from movements m join payments p on p.id = m.payment_id
where s.chain = sqlc.arg(chain) and s.block_number >= sqlc.arg(block_number)::bigint and s.unseen_hash is null and s.gone_at is null
  and m.chain = s.chain and m.signer = s.signer and m.nonce = s.nonce and m.source = 'operator_wallet' and m.state = 'final'
returning s.txid, s.block_number, m.payment_id, coalesce(p.paid_out = s.txid, false)::boolean as told;

-- name: GoneRefunds :many
-- Those of a wallet that are not in the chain again, with all that was signed for each.
select s.nonce, s.txid, t.txid as signed, t.raw, m.payment_id, m.token, m.receiver, m.to_payer::text as to_payer
from signer_slots s
join movements m on m.chain = s.chain and m.signer = s.signer and m.nonce = s.nonce and m.source = 'operator_wallet' and m.state = 'final'
join slot_transactions t on t.chain = s.chain and t.signer = s.signer and t.nonce = s.nonce
where s.chain = sqlc.arg(chain) and s.signer = sqlc.arg(signer)::bytea and s.gone_at >= sqlc.arg(since)::timestamptz
order by s.nonce, t.attempt;

-- name: RefundIsBack :exec
update signer_slots set gone_at = null, block_number = sqlc.arg(block)::bigint, unseen_hash = sqlc.arg(block_hash)
where chain = sqlc.arg(chain) and signer = sqlc.arg(signer)::bytea and nonce = sqlc.arg(nonce)::bigint and gone_at is not null;

-- name: UnseenSlots :many
-- Those whose final block the watcher has not compared, up to a block.
select signer, nonce, block_number, unseen_hash from signer_slots
where chain = sqlc.arg(chain) and unseen_hash is not null and block_number <= sqlc.arg(block_number)::bigint
order by block_number, signer, nonce
limit sqlc.arg(row_limit)::integer;

-- name: SeeSlots :exec
update signer_slots s set unseen_hash = null
from (select unnest(sqlc.arg(signers)::bytea[]) as signer, unnest(sqlc.arg(nonces)::bigint[]) as nonce) n
where s.chain = sqlc.arg(chain) and s.signer = n.signer and s.nonce = n.nonce;

-- name: LoseSlots :many
-- Slots whose block left the chain before the watcher came to it, and their movements, but those that were told of as lost. What a vault has
-- told of is in another block by now. told is as of LoseRefunds.
with gone as (
    update signer_slots s set gone_at = sqlc.arg(now)::timestamptz
    from (select unnest(sqlc.arg(signers)::bytea[]) as signer, unnest(sqlc.arg(nonces)::bigint[]) as nonce) n
    where s.chain = sqlc.arg(chain) and s.signer = n.signer and s.nonce = n.nonce and s.unseen_hash is not null
      and not exists (select from vault_events e where e.chain = s.chain and e.txid = s.txid and e.gone_at is null)
    returning s.chain, s.signer, s.nonce, s.txid, s.block_number
)
select g.txid, g.block_number, m.payment_id, (m.source = 'operator_wallet')::boolean as direct, coalesce(p.paid_out = g.txid, false)::boolean as told
from gone g
join movements m on m.chain = g.chain and m.signer = g.signer and m.nonce = g.nonce
join payments p on p.id = m.payment_id
where not exists (select from vault_events e where e.chain = g.chain and e.txid = g.txid and e.vault = m.vault);

-- name: SlotsAreBack :exec
-- What vaults tell of is in the chain.
update signer_slots s set gone_at = null, block_number = n.block_number
from (select unnest(sqlc.arg(txids)::bytea[]) as txid, unnest(sqlc.arg(block_numbers)::bigint[]) as block_number) n
where s.chain = sqlc.arg(chain) and s.txid = n.txid and s.gone_at is not null;
