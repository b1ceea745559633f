-- name: SavePayerProofs :exec
insert into payer_proofs (chain, txid, signer, payment_id, signature, block, proved_at)
select unnest(sqlc.arg(chains)::text[]), unnest(sqlc.arg(txids)::bytea[]), unnest(sqlc.arg(signers)::bytea[]), unnest(sqlc.arg(payment_ids)::uuid[]),
       unnest(sqlc.arg(signatures)::text[]), nullif(unnest(sqlc.arg(blocks)::bigint[]), 0), sqlc.arg(now)::timestamptz
on conflict do nothing;

-- name: PayerProofs :many
select txid, signer, signature, block, proved_at
from payer_proofs
where payment_id = sqlc.arg(payment_id)
order by proved_at, txid, signer;
