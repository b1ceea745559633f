-- name: SaveSightings :exec
insert into transfers (payment_id, chain, txid, position, receipt_index, token, payer, payee, amount, block_number,
                       block_hash, block_time, code, detail, evidence, status, seen_at, reference_keys, finality, withheld)
select unnest(sqlc.arg(payment_ids)::uuid[]), unnest(sqlc.arg(chains)::text[]), unnest(sqlc.arg(txids)::bytea[]), unnest(sqlc.arg(positions)::text[]),
       nullif(unnest(sqlc.arg(receipt_indexes)::integer[]), -1), unnest(sqlc.arg(tokens)::bytea[]), unnest(sqlc.arg(payers)::bytea[]),
       unnest(sqlc.arg(payees)::bytea[]), unnest(sqlc.arg(amounts)::text[])::numeric, unnest(sqlc.arg(block_numbers)::bigint[]),
       unnest(sqlc.arg(block_hashes)::bytea[]), unnest(sqlc.arg(block_times)::timestamptz[]), unnest(sqlc.arg(codes)::text[]),
       unnest(sqlc.arg(details)::text[]), unnest(sqlc.arg(evidences)::jsonb[]), unnest(sqlc.arg(statuses)::text[]), sqlc.arg(now)::timestamptz,
       unnest(sqlc.arg(reference_keys)::bytea[]), unnest(sqlc.arg(finalities)::text[]), unnest(sqlc.arg(withhelds)::text[])::numeric
on conflict on constraint transfers_pkey do update
set receipt_index = coalesce(excluded.receipt_index, transfers.receipt_index), block_number = excluded.block_number,
    block_hash = excluded.block_hash, block_time = excluded.block_time, code = excluded.code, detail = excluded.detail,
    evidence = excluded.evidence, status = excluded.status, seen_at = excluded.seen_at,
    reference_keys = excluded.reference_keys, finality = excluded.finality, withheld = excluded.withheld
where transfers.status <> 'final'
   or transfers.code <> 'VERIFIED' and excluded.status = 'final' and (excluded.code = 'VERIFIED' or excluded.detail = 'part')
      and exists (select from consumed_transfers c
                  where c.chain = excluded.chain and c.txid = excluded.txid and c.position = excluded.position
                    and c.payment_id = excluded.payment_id);

-- name: FinalizeSightings :exec
-- What was seen is final as it was stored; only what that means for the payment may have changed meanwhile. The status is
-- compared as an expression, which has no statistics: those of the column say that nearly none is waiting, and a join
-- planned for one row is slow for the many that are.
update transfers t
set status = 'final', code = f.code, detail = f.detail, final_head = f.head
from (select unnest(sqlc.arg(payment_ids)::uuid[]) as payment_id, unnest(sqlc.arg(chains)::text[]) as chain, unnest(sqlc.arg(txids)::bytea[]) as txid,
             unnest(sqlc.arg(positions)::text[]) as position, unnest(sqlc.arg(codes)::text[]) as code,
             unnest(sqlc.arg(details)::text[]) as detail, unnest(sqlc.arg(heads)::bigint[]) as head) f
where t.payment_id = f.payment_id and t.chain = f.chain and t.txid = f.txid and t.position = f.position and t.status || '' <> 'final';

-- name: WithdrawSightings :exec
update transfers t
set status = 'withdrawn'
from (select unnest(sqlc.arg(payment_ids)::uuid[]) as payment_id, unnest(sqlc.arg(chains)::text[]) as chain, unnest(sqlc.arg(txids)::bytea[]) as txid,
             unnest(sqlc.arg(positions)::text[]) as position) w
where t.payment_id = w.payment_id and t.chain = w.chain and t.txid = w.txid and t.position = w.position and t.status = 'seen';

-- name: SeenUpTo :many
-- Without the evidence, which becoming final leaves as it is: it would be most of what is read.
select t.payment_id, t.chain, t.txid, t.position, t.receipt_index, t.token, t.payer, t.payee, t.amount::text as amount, t.withheld::text as withheld, t.block_number,
       t.block_hash, t.block_time, t.code, t.detail, 'null'::jsonb as evidence, t.final_head, t.status, t.seen_at, t.reference_keys, t.finality, false as consumed
from transfers t
join (select unnest(sqlc.arg(rules)::text[]) as finality, unnest(sqlc.arg(block_numbers)::bigint[]) as block_number) r
  on t.finality = r.finality and t.block_number <= r.block_number
where t.chain = sqlc.arg(chain) and t.status = 'seen'
order by t.block_number, t.txid, t.position, t.payment_id
limit sqlc.arg(row_limit)::integer;

-- name: KeepRules :exec
update transfers set finality = sqlc.arg(own)
where chain = sqlc.arg(chain) and status = 'seen' and finality <> all(sqlc.arg(rules)::text[]);

-- name: SeenFrom :many
select payment_id, chain, txid, position, receipt_index, token, payer, payee, amount::text as amount, withheld::text as withheld, block_number,
       block_hash, block_time, code, detail, evidence, final_head, status, seen_at, reference_keys, finality, false as consumed
from transfers
where chain = sqlc.arg(chain) and status = 'seen' and block_number >= sqlc.arg(block_number)
order by block_number, txid, position, payment_id;

-- name: FinalFrom :many
select t.payment_id, t.chain, t.txid, t.position, t.receipt_index, t.token, t.payer, t.payee, t.amount::text as amount, t.withheld::text as withheld, t.block_number,
       t.block_hash, t.block_time, t.code, t.detail, t.evidence, t.final_head, t.status, t.seen_at, t.reference_keys, t.finality,
       coalesce((select c.payment_id = t.payment_id from consumed_transfers c where c.chain = t.chain and c.txid = t.txid and c.position = t.position), false)::boolean as consumed
from transfers t
where t.chain = sqlc.arg(chain) and t.status = 'final' and t.block_number >= sqlc.arg(block_number)
order by t.block_number, t.txid, t.position, t.payment_id;

-- name: TransfersOf :many
-- consumed is read as a value, by key. An exists may be answered by hashing the whole table.
select t.payment_id, t.chain, t.txid, t.position, t.receipt_index, t.token, t.payer, t.payee, t.amount::text as amount, t.withheld::text as withheld, t.block_number,
       t.block_hash, t.block_time, t.code, t.detail, t.evidence, t.final_head, t.status, t.seen_at, t.reference_keys, t.finality,
       coalesce((select c.payment_id = t.payment_id from consumed_transfers c where c.chain = t.chain and c.txid = t.txid and c.position = t.position), false)::boolean as consumed
from transfers t
where t.payment_id = any(sqlc.arg(payment_ids)::uuid[])
order by t.payment_id, t.block_number, t.position;

-- name: ConsumeTransfers :many
insert into consumed_transfers (chain, txid, position, receipt_index, payment_id, amount, consumed_at)
select n.chain, n.txid, n.position, nullif(n.receipt_index, -1), n.payment_id, n.amount::numeric, sqlc.arg(now)::timestamptz
from (select unnest(sqlc.arg(chains)::text[]) as chain, unnest(sqlc.arg(txids)::bytea[]) as txid, unnest(sqlc.arg(positions)::text[]) as position,
             unnest(sqlc.arg(receipt_indexes)::integer[]) as receipt_index, unnest(sqlc.arg(payment_ids)::uuid[]) as payment_id,
             unnest(sqlc.arg(amounts)::text[]) as amount) n
order by n.chain, n.txid, n.position
on conflict do nothing
returning chain, txid, position, payment_id;

-- name: ConsumedOf :many
select c.chain, c.txid, c.position, c.receipt_index, c.payment_id
from consumed_transfers c
join (select distinct unnest(sqlc.arg(chains)::text[]) as chain, unnest(sqlc.arg(txids)::bytea[]) as txid) wanted
  on c.chain = wanted.chain and c.txid = wanted.txid;
