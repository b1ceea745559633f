-- name: VaultsSeen :one
-- How far what happens at vaults was read; where that was never, what happened before the first payment was to a vault is
-- nothing. -1: there is no vault.
select case when not exists (select from vaults v where v.chain = c.chain) then -1
            else coalesce(c.vaults_seen, (select min(p.from_block) from payments p where p.chain = c.chain and p.custody = 'vault'), c.final) end::bigint as seen
from chains c where c.chain = sqlc.arg(chain);

-- name: MoveVaultsSeen :execrows
update chains set vaults_seen = sqlc.arg(block)::bigint where chain = sqlc.arg(chain) and epoch = sqlc.arg(epoch);

-- name: LowerVaultsSeen :exec
update chains set vaults_seen = least(vaults_seen, sqlc.arg(block)::bigint) where chain = sqlc.arg(chain);

-- name: SaveVaultEvents :exec
-- Of all that the factory has logged, what is of our vaults. What left the chain and is there again was told before.
insert into vault_events (chain, txid, vault, ordinal, kind, part, to_payee, to_payer, receiver, owed, block_number, block_hash, seen_at)
select v.chain, n.txid, n.vault, n.ordinal, n.kind, case n.kind when 'paid' then n.part end, n.to_payee::numeric, n.to_payer::numeric,
       case n.kind when 'reclaimed' then n.receiver end, n.owed, n.block_number, n.block_hash, sqlc.arg(now)::timestamptz
from (select unnest(sqlc.arg(txids)::bytea[]) as txid, unnest(sqlc.arg(vaults)::bytea[]) as vault, unnest(sqlc.arg(ordinals)::smallint[]) as ordinal,
             unnest(sqlc.arg(kinds)::text[]) as kind, unnest(sqlc.arg(parts)::smallint[]) as part, unnest(sqlc.arg(to_payees)::text[]) as to_payee,
             unnest(sqlc.arg(to_payers)::text[]) as to_payer, unnest(sqlc.arg(receivers)::bytea[]) as receiver, unnest(sqlc.arg(oweds)::boolean[]) as owed,
             unnest(sqlc.arg(block_numbers)::bigint[]) as block_number, unnest(sqlc.arg(block_hashes)::bytea[]) as block_hash) n
join vaults v on v.chain = sqlc.arg(chain) and v.address = n.vault
on conflict on constraint vault_events_pkey do update
set block_number = excluded.block_number, block_hash = excluded.block_hash, gone_at = null;

-- name: UntoldVaultEvents :many
-- moved: the part is one of our movements, by a transaction that was signed for it.
select e.txid, e.vault, e.ordinal, e.kind, coalesce(e.part, 0)::smallint as part, e.to_payee::text as to_payee, e.to_payer::text as to_payer, e.receiver, e.owed,
       e.block_number, v.payment_id,
       exists (select from movements m join slot_transactions t on t.chain = m.chain and t.signer = m.signer and t.nonce = m.nonce
               where m.payment_id = v.payment_id and e.kind = 'paid' and m.part = e.part and t.txid = e.txid)::boolean as moved
from vault_events e
join vaults v on v.chain = e.chain and v.address = e.vault
where e.chain = sqlc.arg(chain) and e.told_at is null
order by e.seen_at, e.txid, e.vault, e.ordinal
limit sqlc.arg(row_limit)::integer;

-- name: TellVaultEvent :exec
update vault_events set told_at = sqlc.arg(now)::timestamptz
where chain = sqlc.arg(chain) and txid = sqlc.arg(txid) and vault = sqlc.arg(vault) and ordinal = sqlc.arg(ordinal);

-- name: PostVaultEvent :exec
-- What others took out. Of money that came after the payment was watched for the last time the books hold nothing.
with taken as (
    select e.chain, e.txid, e.vault, e.ordinal, v.payment_id, v.token, e.to_payee, e.to_payer,
           (select coalesce(sum(b.amount), 0) from ledger_balances b
            where b.payment_id = v.payment_id and b.chain = v.chain and b.token = v.token and b.account = 'held') as held
    from vault_events e
    join vaults v on v.chain = e.chain and v.address = e.vault
    where e.chain = sqlc.arg(chain) and e.txid = sqlc.arg(txid) and e.vault = sqlc.arg(vault) and e.ordinal = sqlc.arg(ordinal)
      and e.kind <> 'frozen' and v.payment_id is not null
), posted as (
    insert into ledger_entries (payment_id, chain, token, event_txid, event_vault, event_ordinal, at)
    select t.payment_id, t.chain, t.token, t.txid, t.vault, t.ordinal, sqlc.arg(now)::timestamptz from taken t
    returning id
)
insert into ledger_lines (entry_id, account, amount)
select p.id, l.account, l.amount
from posted p cross join taken t
cross join lateral (select least(t.to_payee, t.held) as payee, least(t.to_payer, t.held - least(t.to_payee, t.held)) as payer) a
cross join lateral (values ('held', -a.payee - a.payer), ('payee', a.payee), ('refund', a.payer)) l (account, amount)
where l.amount <> 0;

-- name: LoseVaultEvents :many
-- Those whose block has left the chain.
update vault_events e set gone_at = sqlc.arg(now)::timestamptz
from vaults v
where e.chain = sqlc.arg(chain) and e.block_number >= sqlc.arg(block_number)::bigint and e.gone_at is null
  and v.chain = e.chain and v.address = e.vault
returning e.txid, e.kind, e.block_number, v.payment_id;

-- name: GoneTransactions :many
-- The bytes of ours among what has left the chain since a time. Refunds of direct payments have their own way back.
select t.raw
from vault_events e join slot_transactions t on t.chain = e.chain and t.txid = e.txid
where e.chain = sqlc.arg(chain) and e.gone_at >= sqlc.arg(since)::timestamptz
union
select t.raw
from signer_slots s join slot_transactions t on t.chain = s.chain and t.txid = s.txid
where s.chain = sqlc.arg(chain) and s.gone_at >= sqlc.arg(since)::timestamptz
  and not exists (select from movements m where m.chain = s.chain and m.signer = s.signer and m.nonce = s.nonce and m.source = 'operator_wallet' and m.state = 'final')
limit sqlc.arg(row_limit)::integer;
