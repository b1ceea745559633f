-- name: Chain :one
select number, hash, epoch, final from chains where chain = sqlc.arg(chain);

-- name: StartChain :exec
insert into chains (chain, number, hash, updated_at) values (sqlc.arg(chain), sqlc.arg(number), sqlc.arg(hash), sqlc.arg(now))
on conflict on constraint chains_pkey do nothing;

-- name: TakeChain :one
update chains set epoch = epoch + 1 where chain = sqlc.arg(chain) returning epoch;

-- name: MoveChain :execrows
update chains set number = sqlc.arg(number), hash = sqlc.arg(hash), final = greatest(final, sqlc.arg(final)), updated_at = sqlc.arg(now)
where chain = sqlc.arg(chain) and epoch = sqlc.arg(epoch);

-- name: InsertChainBlock :exec
insert into chain_blocks (chain, number, hash, time) values (sqlc.arg(chain), sqlc.arg(number), sqlc.arg(hash), sqlc.arg(time))
on conflict on constraint chain_blocks_pkey do update set hash = excluded.hash, time = excluded.time;

-- name: ChainBlock :one
select number, hash, time from chain_blocks where chain = sqlc.arg(chain) and number = sqlc.arg(number);

-- name: DropChainBlocksFrom :exec
delete from chain_blocks where chain = sqlc.arg(chain) and number >= sqlc.arg(number);

-- name: DropChainBlocksBelow :exec
delete from chain_blocks where chain = sqlc.arg(chain) and number < sqlc.arg(number);

-- name: Chains :many
select chain, number, final, updated_at from chains order by chain;
