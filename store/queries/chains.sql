-- name: ChainCursor :one
select number, hash, epoch, final, watch_xid::text as watch_xid from chains where chain = sqlc.arg(chain);

-- name: StartChain :exec
insert into chains (chain, number, hash, updated_at) values (sqlc.arg(chain), sqlc.arg(number), sqlc.arg(hash), sqlc.arg(now))
on conflict on constraint chains_pkey do nothing;

-- name: TakeChain :one
update chains set epoch = epoch + 1 where chain = sqlc.arg(chain) returning epoch;

-- name: MoveChain :execrows
update chains set number = sqlc.arg(number), hash = sqlc.arg(hash), final = greatest(final, sqlc.arg(final)), watch_xid = sqlc.arg(watch_xid)::text::xid8,
    updated_at = sqlc.arg(now)
where chain = sqlc.arg(chain) and epoch = sqlc.arg(epoch);

-- name: InsertChainBlock :exec
insert into chain_blocks (chain, number, hash, time) values (sqlc.arg(chain), sqlc.arg(number), sqlc.arg(hash), sqlc.arg(time))
on conflict on constraint chain_blocks_pkey do update set hash = excluded.hash, time = excluded.time;

-- name: LastChainBlock :one
select number, hash, time from chain_blocks where chain = sqlc.arg(chain) and number <= sqlc.arg(number) order by number desc limit 1;

-- name: DropChainBlocksFrom :exec
delete from chain_blocks where chain = sqlc.arg(chain) and number >= sqlc.arg(number);

-- name: DropChainBlocksBelow :exec
delete from chain_blocks b
where b.chain = sqlc.arg(chain)
  and b.number < (select max(k.number) from chain_blocks k where k.chain = sqlc.arg(chain) and k.number <= sqlc.arg(number));

-- name: Chains :many
select chain, number, final, updated_at from chains order by chain;

-- name: ChainBlockBefore :one
-- The last remembered block older than a time; where all are younger, the one before the oldest.
select coalesce(
    (select b.number from chain_blocks b where b.chain = sqlc.arg(chain) and b.time < sqlc.arg(before)::timestamptz order by b.number desc limit 1),
    (select min(b.number) - 1 from chain_blocks b where b.chain = sqlc.arg(chain)),
    -1)::bigint as number;
