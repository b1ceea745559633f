-- name: PostTransfers :exec
-- What was posted before is not posted again. What the token kept is read as a value, by the key of the stored transfer. It is posted beside
-- what arrived, and balanced by an account of its own: payer tells what a payment has received.
with posted as (
    insert into ledger_entries (payment_id, chain, token, txid, position, at)
    select unnest(sqlc.arg(payment_ids)::uuid[]), unnest(sqlc.arg(chains)::text[]), unnest(sqlc.arg(tokens)::bytea[]), unnest(sqlc.arg(txids)::bytea[]),
           unnest(sqlc.arg(positions)::text[]), sqlc.arg(now)::timestamptz
    on conflict on constraint ledger_entries_transfer_once do nothing
    returning id, payment_id, chain, txid, position
)
insert into ledger_lines (entry_id, account, amount)
select p.id, l.account, l.amount
from posted p
join (select unnest(sqlc.arg(chains)::text[]) as chain, unnest(sqlc.arg(txids)::bytea[]) as txid, unnest(sqlc.arg(positions)::text[]) as position,
             unnest(sqlc.arg(accounts)::text[]) as account, unnest(sqlc.arg(amounts)::text[])::numeric as amount) n
  on n.chain = p.chain and n.txid = p.txid and n.position = p.position
cross join lateral (select (select t.withheld from transfers t where t.payment_id = p.payment_id and t.chain = p.chain and t.txid = p.txid and t.position = p.position) as fee) w
cross join lateral (values ('payer', -n.amount), (n.account, n.amount), ('payer_fee', -w.fee), ('fee', w.fee)) l (account, amount)
where l.amount <> 0;

-- name: PostMovements :exec
-- What arrived, and what of it did not. A fee that is more than was paid is refused by keep_fee.
with posted as (
    insert into ledger_entries (payment_id, chain, token, part, at)
    select m.payment_id, m.chain, m.token, m.part, sqlc.arg(now)::timestamptz
    from movements m
    join (select unnest(sqlc.arg(payment_ids)::uuid[]) as payment_id, unnest(sqlc.arg(parts)::smallint[]) as part) n
      on n.payment_id = m.payment_id and n.part = m.part
    returning id, payment_id, part
)
insert into ledger_lines (entry_id, account, amount)
select p.id, l.account, l.amount
from posted p
join movements m on m.payment_id = p.payment_id and m.part = p.part
join (select unnest(sqlc.arg(payment_ids)::uuid[]) as payment_id, unnest(sqlc.arg(parts)::smallint[]) as part,
             unnest(sqlc.arg(payee_fees)::text[])::numeric as payee_fee, unnest(sqlc.arg(payer_fees)::text[])::numeric as payer_fee) w
  on w.payment_id = p.payment_id and w.part = p.part
cross join lateral (values (case m.source when 'vault' then 'held' else 'operator' end, -m.to_payee - m.to_payer),
                           ('payee', m.to_payee - w.payee_fee), ('refund', m.to_payer - w.payer_fee),
                           ('fee', w.payee_fee + w.payer_fee)) l (account, amount)
where l.amount <> 0;

-- name: PostGas :exec
with posted as (
    insert into ledger_entries (chain, token, signer, nonce, at)
    values (sqlc.arg(chain), '', sqlc.arg(signer)::bytea, sqlc.arg(nonce)::bigint, sqlc.arg(now))
    returning id
)
insert into ledger_lines (entry_id, account, amount)
select p.id, l.account, l.amount
from posted p cross join lateral (values ('operator', -sqlc.arg(amount)::text::numeric - sqlc.arg(rent)::text::numeric + sqlc.arg(rent_back)::text::numeric),
                                           ('gas', sqlc.arg(amount)::text::numeric),
                                           ('rent', sqlc.arg(rent)::text::numeric - sqlc.arg(rent_back)::text::numeric)) l (account, amount)
where l.amount <> 0;

-- name: Balances :many
select payment_id, chain, token, account, amount::text as amount
from ledger_balances where payment_id = any(sqlc.arg(payment_ids)::uuid[])
order by payment_id, chain, token, account;
