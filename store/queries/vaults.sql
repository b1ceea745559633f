-- name: InsertVault :exec
insert into vaults (chain, address, marketplace, reference, order_key, token, amount, payer, payee, operator, arbiter, reclaim_at,
                    dispute_at, default_to_payee, derived_for, generation, epoch, created_at)
values (sqlc.arg(chain), sqlc.arg(address), sqlc.arg(marketplace), sqlc.arg(reference), sqlc.arg(order_key), sqlc.arg(token),
        sqlc.arg(amount)::text::numeric, sqlc.arg(payer), sqlc.arg(payee), sqlc.arg(operator), sqlc.arg(arbiter), sqlc.arg(reclaim_at),
        sqlc.arg(dispute_at), sqlc.arg(default_to_payee)::text::numeric,
        sqlc.narg(derived_for), sqlc.narg(generation), sqlc.narg(epoch), sqlc.arg(now))
on conflict on constraint vaults_reference_unique do nothing;

-- name: VaultByReference :one
select v.chain, v.address, v.marketplace, v.payment_id, v.order_key, v.token, v.amount::text as amount, v.payer, v.payee, v.operator, v.arbiter, v.reclaim_at,
       v.dispute_at, v.default_to_payee::text as default_to_payee, v.derived_for, v.generation, v.epoch,
       exists (select from token_accounts a where a.chain = v.chain and a.vault = v.address and a.state in ('open', 'closing'))::boolean as rent_ours
from vaults v where v.marketplace = sqlc.arg(marketplace) and v.reference = sqlc.arg(reference);

-- name: VaultAt :one
select v.chain, v.address, v.marketplace, v.payment_id, v.order_key, v.token, v.amount::text as amount, v.payer, v.payee, v.operator, v.arbiter, v.reclaim_at,
       v.dispute_at, v.default_to_payee::text as default_to_payee, v.derived_for, v.generation, v.epoch,
       exists (select from token_accounts a where a.chain = v.chain and a.vault = v.address and a.state in ('open', 'closing'))::boolean as rent_ours
from vaults v where v.chain = sqlc.arg(chain) and v.address = sqlc.arg(address);

-- name: BindVaults :many
-- A vault that belongs to a payment already stays with it.
update vaults v set payment_id = n.payment_id
from (select unnest(sqlc.arg(chains)::text[]) as chain, unnest(sqlc.arg(addresses)::bytea[]) as address,
             unnest(sqlc.arg(payment_ids)::uuid[]) as payment_id) n
where v.chain = n.chain and v.address = n.address and v.payment_id is null
returning v.payment_id;

-- name: UpsertRefundWallet :exec
insert into refund_wallets (marketplace, pairing_id, chain, wallet, signature, signed_block, proved_at)
values (sqlc.arg(marketplace), sqlc.arg(pairing_id), sqlc.arg(chain), sqlc.arg(wallet), sqlc.arg(signature), sqlc.arg(signed_block), sqlc.arg(now))
on conflict on constraint refund_wallets_pkey do update
set wallet = excluded.wallet, signature = excluded.signature, signed_block = excluded.signed_block, proved_at = excluded.proved_at;

-- name: RefundWallet :one
select wallet from refund_wallets
where marketplace = sqlc.arg(marketplace) and pairing_id = sqlc.arg(pairing_id) and chain = sqlc.arg(chain);

-- name: OpenVaultsByEpoch :many
-- Of wallets that hold money, wait for it, or have some to be moved.
select v.chain, v.epoch::bigint as epoch, count(*) as vaults
from vaults v
left join payments p on p.id = v.payment_id
where v.epoch is not null
  and ((p.id is null or p.state = 'expired') and v.reclaim_at > sqlc.arg(now)::timestamptz
       or p.state not in ('released', 'refunded', 'split', 'closed', 'expired')
       or exists (select from movements m where m.payment_id = p.id and m.state in ('proposed', 'approved', 'prepared', 'signed', 'sent')))
group by v.chain, v.epoch
order by v.chain, v.epoch;
