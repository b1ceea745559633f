-- +goose Up

create table account_cursors (
    chain      text        not null,
    token      bytea       not null,
    payee      bytea       not null,
    account    bytea       not null,
    cursor     bytea       not null,
    watch_xid  xid8        not null,
    updated_at timestamptz not null,

    constraint account_cursors_pkey primary key (chain, token, payee, account)
);
comment on table account_cursors is 'How far each account has been looked at, on chains that are watched account by account.';
comment on column account_cursors.chain is 'CAIP-2 chain id.';
comment on column account_cursors.token is 'Raw bytes of the token that the payee receives in the account; empty for the native coin.';
comment on column account_cursors.payee is 'Raw bytes of the wallet that the account belongs to.';
comment on column account_cursors.account is 'Raw bytes of the account.';
comment on column account_cursors.cursor is 'What was looked at, in the form of settlement.AccountCursor.';
comment on column account_cursors.watch_xid is 'Payments opened by transactions before this one were looked for in everything that the cursor covers.';
comment on column account_cursors.updated_at is 'When the cursor last moved.';

-- +goose Down

drop table account_cursors;
