-- name: InsertRehearsal :exec
insert into rehearsals (chain, token, factory, code_hash, wallet, operator, paid_vault, reclaimed_vault, started_at)
values (sqlc.arg(chain), sqlc.arg(token), sqlc.arg(factory), sqlc.arg(code_hash), sqlc.arg(wallet), sqlc.arg(operator), sqlc.arg(paid_vault),
        sqlc.arg(reclaimed_vault), sqlc.arg(now));

-- name: RehearsalUnderWay :one
select id, factory, code_hash, wallet, operator, paid_vault, reclaimed_vault
from rehearsals where chain = sqlc.arg(chain) and token = sqlc.arg(token) and ended_at is null;

-- name: EndRehearsal :execrows
update rehearsals
set deposit_txid = sqlc.arg(deposit_txid), pay_txid = sqlc.arg(pay_txid), reclaim_txid = sqlc.arg(reclaim_txid), problem = sqlc.arg(problem),
    ended_at = sqlc.arg(now)::timestamptz
where id = sqlc.arg(id) and ended_at is null;

-- name: Rehearsed :one
select exists (select from rehearsals where chain = sqlc.arg(chain) and token = sqlc.arg(token) and factory = sqlc.arg(factory)
                 and code_hash = sqlc.arg(code_hash) and ended_at is not null and problem = '')::boolean;
