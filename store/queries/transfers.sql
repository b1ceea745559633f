-- name: SaveSightings :exec
insert into transfers (payment_id, chain, txid, position, receipt_index, token, payer, payee, amount, block_number,
                       block_hash, block_time, code, detail, evidence, status, seen_at)
select unnest(sqlc.arg(payment_ids)::uuid[]), unnest(sqlc.arg(chains)::text[]), unnest(sqlc.arg(txids)::bytea[]), unnest(sqlc.arg(positions)::text[]),
       nullif(unnest(sqlc.arg(receipt_indexes)::integer[]), -1), unnest(sqlc.arg(tokens)::bytea[]), unnest(sqlc.arg(payers)::bytea[]),
       unnest(sqlc.arg(payees)::bytea[]), unnest(sqlc.arg(amounts)::text[])::numeric, unnest(sqlc.arg(block_numbers)::bigint[]),
       unnest(sqlc.arg(block_hashes)::bytea[]), unnest(sqlc.arg(block_times)::timestamptz[]), unnest(sqlc.arg(codes)::text[]),
       unnest(sqlc.arg(details)::text[]), unnest(sqlc.arg(evidences)::jsonb[]), unnest(sqlc.arg(statuses)::text[]), sqlc.arg(now)::timestamptz
on conflict on constraint transfers_pkey do update
set receipt_index = coalesce(excluded.receipt_index, transfers.receipt_index), block_number = excluded.block_number,
    block_hash = excluded.block_hash, block_time = excluded.block_time, code = excluded.code, detail = excluded.detail,
    evidence = excluded.evidence, status = excluded.status, seen_at = excluded.seen_at
where transfers.status <> 'final';

-- name: WithdrawSightings :exec
update transfers t
set status = 'withdrawn'
from (select unnest(sqlc.arg(payment_ids)::uuid[]) as payment_id, unnest(sqlc.arg(chains)::text[]) as chain, unnest(sqlc.arg(txids)::bytea[]) as txid,
             unnest(sqlc.arg(positions)::text[]) as position) w
where t.payment_id = w.payment_id and t.chain = w.chain and t.txid = w.txid and t.position = w.position and t.status = 'seen';

-- name: SeenUpTo :many
select payment_id, chain, txid, position, receipt_index, token, payer, payee, amount::text as amount, block_number,
       block_hash, block_time, code, detail, evidence, status, seen_at
from transfers
where chain = sqlc.arg(chain) and status = 'seen' and block_number <= sqlc.arg(block_number)
order by block_number, txid, position, payment_id
limit sqlc.arg(row_limit)::integer;

-- name: SeenFrom :many
select payment_id, chain, txid, position, receipt_index, token, payer, payee, amount::text as amount, block_number,
       block_hash, block_time, code, detail, evidence, status, seen_at
from transfers
where chain = sqlc.arg(chain) and status = 'seen' and block_number >= sqlc.arg(block_number)
order by block_number, txid, position, payment_id;

-- name: FinalFrom :many
select payment_id, chain, txid, position, receipt_index, token, payer, payee, amount::text as amount, block_number,
       block_hash, block_time, code, detail, evidence, status, seen_at
from transfers
where chain = sqlc.arg(chain) and status = 'final' and block_number >= sqlc.arg(block_number)
order by block_number, txid, position, payment_id;

-- name: TransfersOf :many
select payment_id, chain, txid, position, receipt_index, token, payer, payee, amount::text as amount, block_number,
       block_hash, block_time, code, detail, evidence, status, seen_at
from transfers
where payment_id = any(sqlc.arg(payment_ids)::uuid[])
order by payment_id, block_number, position;

-- name: ConsumeTransfers :exec
insert into consumed_transfers (chain, txid, position, receipt_index, payment_id, amount, consumed_at)
select n.chain, n.txid, n.position, nullif(n.receipt_index, -1), n.payment_id, n.amount::numeric, sqlc.arg(now)::timestamptz
from (select unnest(sqlc.arg(chains)::text[]) as chain, unnest(sqlc.arg(txids)::bytea[]) as txid, unnest(sqlc.arg(positions)::text[]) as position,
             unnest(sqlc.arg(receipt_indexes)::integer[]) as receipt_index, unnest(sqlc.arg(payment_ids)::uuid[]) as payment_id,
             unnest(sqlc.arg(amounts)::text[]) as amount) n
order by n.chain, n.txid, n.position
on conflict do nothing;

-- name: ConsumedOf :many
select c.chain, c.txid, c.position, c.receipt_index, c.payment_id
from consumed_transfers c
join (select distinct unnest(sqlc.arg(chains)::text[]) as chain, unnest(sqlc.arg(txids)::bytea[]) as txid) wanted
  on c.chain = wanted.chain and c.txid = wanted.txid;
