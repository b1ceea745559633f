-- name: LockTokenAccounts :exec
-- Those who ask at the same time are counted one after the other.
select pg_advisory_xact_lock(hashtextextended('settler token accounts ' || sqlc.arg(chain)::text, 0));

-- name: AskTokenAccount :execrows
-- Once for each wallet, unless it was refused; none where as many were asked for within the hour as may be.
insert into token_accounts (chain, vault, signer, state, asked_at, due_at, updated_at)
select v.chain, v.address, v.operator, 'asked', sqlc.arg(now)::timestamptz, sqlc.arg(now)::timestamptz, sqlc.arg(now)::timestamptz
from vaults v
where v.chain = sqlc.arg(chain) and v.address = sqlc.arg(vault)::bytea
  and (select count(*) from token_accounts a where a.chain = sqlc.arg(chain) and a.state <> 'refused'
       and a.asked_at > sqlc.arg(now)::timestamptz - interval '1 hour') < sqlc.arg(per_hour)::bigint
on conflict on constraint token_accounts_pkey do update
set state = 'asked', problem = '', asked_at = excluded.asked_at, due_at = excluded.due_at, updated_at = excluded.updated_at
where token_accounts.state = 'refused';

-- name: TokenAccount :one
select state, problem from token_accounts where chain = sqlc.arg(chain) and vault = sqlc.arg(vault)::bytea;

-- name: TokenAccountsDue :many
-- To be made: while the payer is waited for, one after the other. To be closed: when he is not any more, and nothing of the wallet is to be moved.
select a.vault, (a.state = 'asked')::boolean as opens
from token_accounts a
join vaults v on v.chain = a.chain and v.address = a.vault
join payments p on p.id = v.payment_id
where a.chain = sqlc.arg(chain) and a.signer = sqlc.arg(signer)::bytea and a.due_at <= sqlc.arg(now)
  and case a.state
      when 'asked' then p.state = 'awaiting_payment' and not exists (
          select from token_accounts c where c.chain = a.chain and c.signer = a.signer and c.state = 'creating')
      when 'open' then p.state in ('expired', 'released', 'refunded', 'split', 'closed') and not exists (
          select from movements m where m.payment_id = p.id and m.state in ('proposed', 'approved', 'prepared', 'signed', 'sent'))
      end
order by a.due_at, a.vault
limit sqlc.arg(row_limit)::integer;

-- name: MoveTokenAccount :execrows
update token_accounts a
set state = sqlc.arg(state), problem = sqlc.arg(problem), nonce = coalesce(sqlc.narg(nonce)::bigint, a.nonce), due_at = sqlc.arg(due_at), updated_at = sqlc.arg(now)
where a.chain = sqlc.arg(chain) and a.vault = sqlc.arg(vault)::bytea and a.state = sqlc.arg(old_state);

-- name: TokenAccountOfSlot :one
select vault, state from token_accounts
where chain = sqlc.arg(chain) and signer = sqlc.arg(signer)::bytea and nonce = sqlc.arg(nonce)::bigint and state in ('creating', 'closing');

-- name: CloseTokenAccounts :exec
-- Of wallets that a payout has emptied and closed.
update token_accounts set state = 'closed', updated_at = sqlc.arg(now)
where chain = sqlc.arg(chain) and vault = any(sqlc.arg(vaults)::bytea[]) and state = 'open';

-- name: CountTokenAccounts :many
select chain, state, count(*) as accounts from token_accounts group by chain, state order by chain, state;
