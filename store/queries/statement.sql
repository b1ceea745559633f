-- name: LedgerClosed :one
-- Whether the ledger is closed up to a time, and whether Postgres has come to that time.
select (c.until >= sqlc.arg(until)::timestamptz)::boolean as closed, (sqlc.arg(until)::timestamptz > clock_timestamp())::boolean as ahead
from ledger_closed c;

-- name: CloseLedger :exec
update ledger_closed set until = sqlc.arg(until)::timestamptz where until < sqlc.arg(until)::timestamptz;

-- name: TotalsAt :many
-- The newest ones at the time or before it.
select t.until, t.marketplace, t.chain, t.token, t.account, t.amount::text as amount
from ledger_totals t
where t.until = (select max(n.until) from ledger_totals n where n.until <= sqlc.arg(at)::timestamptz);

-- name: SaveTotals :exec
-- Of what is closed they are always the same.
insert into ledger_totals (until, marketplace, chain, token, account, amount)
select sqlc.arg(until)::timestamptz, n.marketplace, n.chain, n.token, n.account, n.amount::numeric
from (select unnest(sqlc.arg(marketplaces)::text[]) as marketplace, unnest(sqlc.arg(chains)::text[]) as chain, unnest(sqlc.arg(tokens)::bytea[]) as token,
             unnest(sqlc.arg(accounts)::text[]) as account, unnest(sqlc.arg(amounts)::text[]) as amount) n
on conflict on constraint ledger_totals_pkey do nothing;

-- name: NextEntryAt :one
-- When the first entry from a time on was posted.
select e.at from ledger_entries e where e.at >= sqlc.arg(since)::timestamptz order by e.at limit 1;

-- name: LedgerSums :many
-- What each account got of the next entries, and which was the last of how many. An entry that moved nothing has no account.
with page as materialized (
    select e.id, e.at, e.payment_id, e.chain, e.token
    from ledger_entries e
    where (e.at, e.id) > (sqlc.arg(after_at)::timestamptz, sqlc.arg(after_id)::bigint) and e.at < sqlc.arg(until)::timestamptz
    order by e.at, e.id
    limit sqlc.arg(row_limit)::integer
), last as (
    select n.at, n.id, (select count(*) from page) as entries from page n order by n.at desc, n.id desc limit 1
)
select last.at, last.id, last.entries, coalesce(p.marketplace, '') as marketplace, page.chain, page.token, coalesce(l.account, '') as account,
       coalesce(sum(l.amount), 0)::text as amount
from page
cross join last
left join ledger_lines l on l.entry_id = page.id
left join payments p on p.id = page.payment_id
group by 1, 2, 3, 4, 5, 6, 7;

-- name: LedgerLines :many
-- The lines of the next entries; an entry that moved nothing has one without account. Of a movement and of gas the transaction is
-- that of the slot, which is final.
with page as materialized (
    select e.id, e.at, e.payment_id, e.chain, e.token, e.txid, e.position, e.part, e.signer, e.nonce, e.event_txid, e.event_vault, e.event_ordinal
    from ledger_entries e
    where (e.at, e.id) > (sqlc.arg(after_at)::timestamptz, sqlc.arg(after_id)::bigint) and e.at < sqlc.arg(until)::timestamptz
    order by e.at, e.id
    limit sqlc.arg(row_limit)::integer
)
select page.id, page.at, page.payment_id, page.chain, page.token, coalesce(p.marketplace, '') as marketplace, coalesce(p.order_id, '') as order_id,
       coalesce(p.token_symbol, '') as symbol, coalesce(p.token_decimals, -1)::smallint as decimals,
       coalesce(page.txid, page.event_txid, s.txid)::bytea as txid, coalesce(page.position, '') as position,
       (case when page.txid is not null then 'transfer' when page.part is not null then m.purpose when page.event_txid is not null then v.kind
             else 'gas' end)::text as kind,
       coalesce(page.part, -1)::smallint as part, coalesce(l.account, '') as account, coalesce(l.amount, 0)::text as amount
from page
left join ledger_lines l on l.entry_id = page.id
left join payments p on p.id = page.payment_id
left join movements m on m.payment_id = page.payment_id and m.part = page.part
left join signer_slots s on s.chain = page.chain and s.signer = coalesce(page.signer, m.signer) and s.nonce = coalesce(page.nonce, m.nonce)
left join vault_events v on v.chain = page.chain and v.txid = page.event_txid and v.vault = page.event_vault and v.ordinal = page.event_ordinal
order by page.at, page.id, l.account;
