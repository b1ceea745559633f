-- +goose Up

create table ledger_closed (
    single boolean     not null default true,
    until  timestamptz not null,

    constraint ledger_closed_pkey primary key (single),
    constraint ledger_closed_one_row check (single)
);
comment on table ledger_closed is 'Up to when the ledger is closed: nothing is posted any more with an earlier time, so a statement of that time never changes.';
comment on column ledger_closed.single is 'There is one row.';
comment on column ledger_closed.until is 'Exclusive; only ever later.';
insert into ledger_closed (until) values ('1970-01-01 00:00:00+00');

-- +goose StatementBegin
create function keep_closed() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or new.until < old.until then
        raise exception 'what is closed stays closed' using errcode = 'integrity_constraint_violation', constraint = 'ledger_closed_kept';
    end if;
    return new;
end
$$;
-- +goose StatementEnd
comment on function keep_closed is 'Trigger of ledger_closed: it is never reopened.';
create trigger ledger_closed_kept before update or delete on ledger_closed for each row execute function keep_closed();
create trigger ledger_closed_no_truncate before truncate on ledger_closed for each statement execute function forbid_change();

-- Who closes holds off those who post, until his commit (jobs/ledger.go), so the row that is read here is the newest one.
-- +goose StatementBegin
create function post_after_closing() returns trigger language plpgsql as $$
begin
    select greatest(new.at, c.until) into strict new.at from ledger_closed c;
    return new;
end
$$;
-- +goose StatementEnd
comment on function post_after_closing is 'Trigger of ledger_entries: what is posted late counts for the time after the closing.';
create trigger ledger_entries_after_closing before insert on ledger_entries for each row execute function post_after_closing();
comment on column ledger_entries.at is 'When it was posted; never in what was closed before.';
create index ledger_entries_by_time on ledger_entries (at, id);

create table ledger_totals (
    until       timestamptz    not null,
    marketplace text           not null,
    chain       text           not null,
    token       bytea          not null,
    account     text           not null,
    amount      numeric(78, 0) not null,

    constraint ledger_totals_pkey primary key (until, marketplace, chain, token, account),
    constraint ledger_totals_account_known check (account in ('payer', 'held', 'payee', 'refund', 'fee', 'gas', 'operator')),
    constraint ledger_totals_amount_counts check (amount <> 0),
    constraint ledger_totals_of_days check (mod(extract(epoch from until), 86400) = 0)
);
comment on table ledger_totals is 'What each account had at the beginning of a day up to which the ledger was closed, so that a statement need not add up what came before.';
comment on column ledger_totals.until is 'Beginning of a day in UTC: lines posted earlier count. Days without a row are those that nobody asked for.';
comment on column ledger_totals.marketplace is 'Key of the marketplace in the configuration; empty for what is of no payment.';
comment on column ledger_totals.chain is 'CAIP-2 chain id.';
comment on column ledger_totals.token is 'Raw bytes of the token; empty for the native coin.';
comment on column ledger_totals.account is 'As in ledger_lines.';
comment on column ledger_totals.amount is 'Base units that the account got in all, below zero for what it gave.';
create trigger ledger_totals_append_only before update or delete on ledger_totals for each row execute function forbid_change();
create trigger ledger_totals_no_truncate before truncate on ledger_totals for each statement execute function forbid_change();

-- +goose Down

drop table ledger_totals;
drop index ledger_entries_by_time;
drop trigger ledger_entries_after_closing on ledger_entries;
drop function post_after_closing();
drop table ledger_closed;
drop function keep_closed();
comment on column ledger_entries.at is 'When it was posted.';
