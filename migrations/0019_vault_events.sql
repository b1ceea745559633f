-- +goose Up

create table vault_events (
    chain        text           not null,
    txid         bytea          not null,
    vault        bytea          not null,
    ordinal      smallint       not null,
    kind         text           not null,
    part         smallint,
    to_payee     numeric(78, 0) not null,
    to_payer     numeric(78, 0) not null,
    receiver     bytea,
    owed         boolean        not null,
    block_number bigint         not null,
    block_hash   bytea          not null,
    seen_at      timestamptz    not null,
    told_at      timestamptz,
    gone_at      timestamptz,

    constraint vault_events_pkey primary key (chain, txid, vault, ordinal),
    constraint vault_events_vault_fkey foreign key (chain, vault) references vaults (chain, address),
    constraint vault_events_kind_known check (kind in ('paid', 'reclaimed', 'frozen')),
    constraint vault_events_part_of_paid check ((kind = 'paid') = (part is not null)),
    constraint vault_events_receiver_of_reclaimed check ((kind = 'reclaimed') = (receiver is not null)),
    constraint vault_events_amounts_positive check (to_payee >= 0 and to_payer >= 0 and (to_payee + to_payer > 0) = (kind <> 'frozen'))
);
comment on table vault_events is 'What happened at our vaults in final blocks, whoever caused it: payments out of them, reclaims, freezes.';
comment on column vault_events.chain is 'CAIP-2 chain id.';
comment on column vault_events.txid is 'Raw transaction id.';
comment on column vault_events.vault is 'Raw bytes of the vault.';
comment on column vault_events.ordinal is 'Counts what happened at the vault within the transaction, from 0.';
comment on column vault_events.kind is 'paid: a part was divided; reclaimed: the payer took back what was in it; frozen.';
comment on column vault_events.part is 'Of paid: below 96 the operator''s or the arbiter''s; 254 by the payer''s signature; 255 by default after the dispute deadline.';
comment on column vault_events.to_payee is 'Base units for the payee.';
comment on column vault_events.to_payer is 'Base units for the payer.';
comment on column vault_events.receiver is 'Of reclaimed: raw bytes of the account that got it.';
comment on column vault_events.owed is 'Of paid: the token refused a receiver, and the vault keeps what is his.';
comment on column vault_events.block_number is 'Block that it is in.';
comment on column vault_events.block_hash is 'That block''s hash.';
comment on column vault_events.seen_at is 'When it was read.';
comment on column vault_events.told_at is 'When the payment was told of it; null while that waits for a movement under way.';
comment on column vault_events.gone_at is 'When its block left the chain; null while it is there.';
create index vault_events_untold on vault_events (chain, seen_at) where told_at is null;
create index vault_events_by_block on vault_events (chain, block_number);
create index vault_events_by_vault on vault_events (chain, vault);

alter table chains add column vaults_seen bigint;
comment on column chains.vaults_seen is 'Final block up to which what happens at vaults was read; null while there are none.';

alter table ledger_entries add column event_txid bytea;
alter table ledger_entries add column event_vault bytea;
alter table ledger_entries add column event_ordinal smallint;
alter table ledger_entries add constraint ledger_entries_event_once unique (chain, event_txid, event_vault, event_ordinal);
alter table ledger_entries add constraint ledger_entries_event_fkey foreign key (chain, event_txid, event_vault, event_ordinal)
    references vault_events (chain, txid, vault, ordinal);
alter table ledger_entries drop constraint ledger_entries_one_cause;
alter table ledger_entries add constraint ledger_entries_one_cause check (
    num_nonnulls(event_txid, event_vault, event_ordinal) = 0 and (
        num_nulls(payment_id, txid, position) = 0 and num_nonnulls(part, signer, nonce) = 0
        or num_nulls(payment_id, part) = 0 and num_nonnulls(txid, position, signer, nonce) = 0
        or num_nulls(signer, nonce) = 0 and num_nonnulls(payment_id, txid, position, part) = 0)
    or num_nulls(payment_id, event_txid, event_vault, event_ordinal) = 0 and num_nonnulls(txid, position, part, signer, nonce) = 0);
comment on table ledger_entries is 'Double-entry ledger: one entry for each confirmed transfer, each final movement, the gas of each transaction of ours, and what others took out of a vault.';
comment on column ledger_entries.event_txid is 'Of what happened at a vault: its transaction.';
comment on column ledger_entries.event_vault is 'Of what happened at a vault: the vault.';
comment on column ledger_entries.event_ordinal is 'Of what happened at a vault: its number within the transaction.';

-- What others took out of a vault cannot be moved any more either.
-- +goose StatementBegin
create function leave_for_movements() returns trigger language plpgsql as $$
declare
    received numeric;
    moved    numeric;
    taken    numeric;
begin
    if new.source <> 'vault' then
        return new;
    end if;
    select coalesce(-sum(l.amount), 0) into taken from ledger_entries e join ledger_lines l on l.entry_id = e.id
        where e.payment_id = new.payment_id and e.event_txid is not null and l.account = 'held';
    if taken = 0 then
        return new; -- movements_guarded, which has locked the payment's row, says all
    end if;
    select coalesce(-sum(b.amount), 0) into received from ledger_balances b
        where b.payment_id = new.payment_id and b.chain = new.chain and b.token = new.token and b.account = 'payer';
    select coalesce(sum(m.to_payee + m.to_payer), 0) into moved from movements m
        where m.payment_id = new.payment_id and m.source = 'vault' and m.state not in ('reverted', 'cancelled');
    if moved + taken + new.to_payee + new.to_payer > received then
        raise exception 'of what payment % has received % was taken by others, and % would be moved', new.payment_id, taken, moved + new.to_payee + new.to_payer
            using errcode = 'integrity_constraint_violation', constraint = 'movements_leave_what_was_taken';
    end if;
    return new;
end
$$;
-- +goose StatementEnd
comment on function leave_for_movements is 'Trigger of movements: what others took out of a vault is not moved again.';
create trigger movements_leave_what_was_taken before insert on movements for each row execute function leave_for_movements();

-- +goose Down

drop trigger movements_leave_what_was_taken on movements;
drop function leave_for_movements();
delete from ledger_lines l using ledger_entries e where e.id = l.entry_id and e.event_txid is not null;
delete from ledger_entries where event_txid is not null;
alter table ledger_entries drop constraint ledger_entries_one_cause;
alter table ledger_entries drop constraint ledger_entries_event_fkey;
alter table ledger_entries drop constraint ledger_entries_event_once;
alter table ledger_entries drop column event_ordinal;
alter table ledger_entries drop column event_vault;
alter table ledger_entries drop column event_txid;
alter table ledger_entries add constraint ledger_entries_one_cause check (
    num_nulls(payment_id, txid, position) = 0 and num_nonnulls(part, signer, nonce) = 0
    or num_nulls(payment_id, part) = 0 and num_nonnulls(txid, position, signer, nonce) = 0
    or num_nulls(signer, nonce) = 0 and num_nonnulls(payment_id, txid, position, part) = 0);
alter table chains drop column vaults_seen;
drop table vault_events;
