-- name: AccountCursors :many
select account, cursor from account_cursors where chain = sqlc.arg(chain) and token = sqlc.arg(token) and payee = sqlc.arg(payee);

-- name: SaveAccountCursor :execrows
-- The lock on the chain's row keeps its epoch as it is until the commit.
insert into account_cursors (chain, token, payee, account, cursor, watch_xid, updated_at)
select c.chain, sqlc.arg(token), sqlc.arg(payee), sqlc.arg(account), sqlc.arg(cursor), sqlc.arg(watch_xid)::text::xid8, sqlc.arg(now)
from (select k.chain from chains k where k.chain = sqlc.arg(chain) and k.epoch = sqlc.arg(epoch) for share) c
on conflict on constraint account_cursors_pkey do update
set cursor = excluded.cursor, watch_xid = excluded.watch_xid, updated_at = excluded.updated_at;

-- name: HoldAccount :execrows
update account_cursors a set held = sqlc.arg(held)::text::numeric, updated_at = sqlc.arg(now)
where a.chain = sqlc.arg(chain) and a.token = sqlc.arg(token) and a.payee = sqlc.arg(payee) and a.account = sqlc.arg(account)
  and exists (select from chains k where k.chain = sqlc.arg(chain) and k.epoch = sqlc.arg(epoch));

-- name: HeldAccounts :many
select token, payee, held::text as held from account_cursors where chain = sqlc.arg(chain) and held is not null;
