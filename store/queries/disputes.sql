-- name: Disputes :many
-- A time that has not come is the zero time of Go here.
select d.payment_id, d.number, d.opener, d.reason, d.party, d.default_outcome, d.opened_at, d.respond_by, d.decide_by,
       coalesce(d.answered_at, '0001-01-01 00:00:00+00')::timestamptz as answered_at,
       coalesce(d.reminded_at, '0001-01-01 00:00:00+00')::timestamptz as reminded_at,
       coalesce(d.to_payee, 0)::text as to_payee, coalesce(d.to_payer, 0)::text as to_payer,
       coalesce(d.decided_at, '0001-01-01 00:00:00+00')::timestamptz as decided_at,
       coalesce(d.effective_at, '0001-01-01 00:00:00+00')::timestamptz as effective_at,
       coalesce(d.appealed_at, '0001-01-01 00:00:00+00')::timestamptz as appealed_at,
       d.told, coalesce(d.closed_at, '0001-01-01 00:00:00+00')::timestamptz as closed_at, coalesce(d.outcome, '') as outcome,
       coalesce(d.undisputed_at, '0001-01-01 00:00:00+00')::timestamptz as undisputed_at
from disputes d
where d.payment_id = any(sqlc.arg(payment_ids)::uuid[])
order by d.payment_id, d.number;

-- name: SaveDisputes :exec
insert into disputes (payment_id, number, opener, reason, party, default_outcome, opened_at, respond_by, decide_by, answered_at, reminded_at,
                      to_payee, to_payer, decided_at, effective_at, appealed_at, told, closed_at, outcome)
select n.payment_id, n.number, n.opener, n.reason, n.party, n.default_outcome, n.opened_at, n.respond_by, n.decide_by, nullif(n.answered_at, never.zero),
       nullif(n.reminded_at, never.zero), nullif(n.to_payee, '')::numeric, nullif(n.to_payer, '')::numeric, nullif(n.decided_at, never.zero),
       nullif(n.effective_at, never.zero), nullif(n.appealed_at, never.zero), n.told, nullif(n.closed_at, never.zero), nullif(n.outcome, '')
from (select unnest(sqlc.arg(payment_ids)::uuid[]) as payment_id, unnest(sqlc.arg(numbers)::integer[]) as number,
             unnest(sqlc.arg(openers)::text[]) as opener, unnest(sqlc.arg(reasons)::text[]) as reason, unnest(sqlc.arg(parties)::text[]) as party,
             unnest(sqlc.arg(defaults)::text[]) as default_outcome, unnest(sqlc.arg(opened_ats)::timestamptz[]) as opened_at,
             unnest(sqlc.arg(respond_bys)::timestamptz[]) as respond_by, unnest(sqlc.arg(decide_bys)::timestamptz[]) as decide_by,
             unnest(sqlc.arg(answered_ats)::timestamptz[]) as answered_at, unnest(sqlc.arg(reminded_ats)::timestamptz[]) as reminded_at,
             unnest(sqlc.arg(to_payees)::text[]) as to_payee, unnest(sqlc.arg(to_payers)::text[]) as to_payer,
             unnest(sqlc.arg(decided_ats)::timestamptz[]) as decided_at, unnest(sqlc.arg(effective_ats)::timestamptz[]) as effective_at,
             unnest(sqlc.arg(appealed_ats)::timestamptz[]) as appealed_at, unnest(sqlc.arg(tolds)::boolean[]) as told,
             unnest(sqlc.arg(closed_ats)::timestamptz[]) as closed_at, unnest(sqlc.arg(outcomes)::text[]) as outcome) n
cross join (select '0001-01-01 00:00:00+00'::timestamptz as zero) never
on conflict on constraint disputes_pkey do update
set decide_by = excluded.decide_by, answered_at = excluded.answered_at, reminded_at = excluded.reminded_at, to_payee = excluded.to_payee,
    to_payer = excluded.to_payer, decided_at = excluded.decided_at, effective_at = excluded.effective_at, appealed_at = excluded.appealed_at,
    told = excluded.told, closed_at = excluded.closed_at, outcome = excluded.outcome;

-- name: OrdersUndisputed :exec
-- Locks nothing: the caller has locked the payments. An order that was read before the dispute ended says nothing about afterwards.
update disputes set undisputed_at = sqlc.arg(now)::timestamptz
where payment_id = any(sqlc.arg(payment_ids)::uuid[]) and outcome = 'dropped' and undisputed_at is null and closed_at < sqlc.arg(read_at)::timestamptz;

-- name: InsertStatements :exec
insert into dispute_statements (payment_id, version, number, party, sha256, size, media_type, url, content)
select n.payment_id, n.version, n.number, n.party, n.sha256, nullif(n.size, 0), nullif(n.media_type, ''), nullif(n.url, ''), n.content
from (select unnest(sqlc.arg(payment_ids)::uuid[]) as payment_id, unnest(sqlc.arg(versions)::bigint[]) as version,
             unnest(sqlc.arg(numbers)::integer[]) as number, unnest(sqlc.arg(parties)::text[]) as party, unnest(sqlc.arg(hashes)::bytea[]) as sha256,
             unnest(sqlc.arg(sizes)::bigint[]) as size, unnest(sqlc.arg(media_types)::text[]) as media_type, unnest(sqlc.arg(urls)::text[]) as url,
             unnest(sqlc.arg(contents)::bytea[]) as content) n;

-- name: Statements :many
select s.version, s.number, s.party, s.sha256, coalesce(s.size, 0) as size, coalesce(s.media_type, '') as media_type, coalesce(s.url, '') as url
from dispute_statements s
where s.payment_id = sqlc.arg(payment_id)
order by s.version;

-- name: EvidenceContent :one
select s.media_type, s.content
from dispute_statements s
where s.payment_id = sqlc.arg(payment_id) and s.sha256 = sqlc.arg(sha256)::bytea and s.content is not null
order by s.version limit 1;
