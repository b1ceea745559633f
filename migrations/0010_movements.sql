-- +goose Up

alter table payments add column custody text not null default '';
alter table payments add column payout text not null default '';
alter table payments add column paid_out bytea;
alter table payments add constraint payments_custody_known check (custody in ('', 'vault', 'none'));
alter table payments add constraint payments_custody_with_terms check (custody = '' or payee is not null);
alter table payments add constraint payments_refund_address_known check (custody <> 'vault' or proven_payer is not null);
alter table payments add constraint payments_payout_known check (payout in ('', 'release', 'refund'));
alter table payments add constraint payments_paid_out_by_payout check (paid_out is null or payout <> '');
alter table payments add constraint payments_over_when_paid_out check (custody <> 'vault' or state not in ('released', 'refunded')
    or paid_out is not null and payout = case state when 'released' then 'release' else 'refund' end);
comment on column payments.custody is 'Who holds an escrowed payment: vault, that is we by the payee''s address; none, that is somebody else; empty for direct rails.';
comment on column payments.payout is 'What the money is moved for since a movement was prepared: release or refund; empty before.';
comment on column payments.paid_out is 'Raw id of the transaction that has moved the money on; null until it was final.';
-- A vault's address names its order by itself.
create unique index payments_vault_unique on payments (chain, payee) where custody = 'vault';

create table vaults (
    chain            text           not null,
    address          bytea          not null,
    marketplace      text           not null,
    reference        text           not null,
    payment_id       uuid,
    order_key        bytea          not null,
    token            bytea          not null,
    amount           numeric(78, 0) not null,
    payer            bytea          not null,
    payee            bytea          not null,
    operator         bytea          not null,
    arbiter          bytea          not null,
    reclaim_at       timestamptz    not null,
    dispute_at       timestamptz    not null,
    default_to_payee numeric(78, 0) not null,
    created_at       timestamptz    not null,

    constraint vaults_pkey primary key (chain, address),
    constraint vaults_reference_unique unique (marketplace, reference),
    constraint vaults_payment_unique unique (payment_id),
    constraint vaults_payment_fkey foreign key (payment_id) references payments (id),
    constraint vaults_amount_positive check (amount > 0),
    constraint vaults_default_within_amount check (default_to_payee between 0 and amount),
    constraint vaults_two_parties check (payer <> payee and operator not in (payer, payee) and arbiter not in (payer, payee)),
    constraint vaults_dispute_after_reclaim check (dispute_at > reclaim_at)
);
comment on table vaults is 'Every vault address that was ever handed out, with the terms that make it. No row leaves.';
comment on column vaults.chain is 'CAIP-2 chain id.';
comment on column vaults.address is 'Raw bytes of the vault, deployed or not.';
comment on column vaults.marketplace is 'Key of the marketplace in the configuration.';
comment on column vaults.reference is 'The marketplace''s own name for what the vault is for; payment/ and our id where we made it for a payment.';
comment on column vaults.payment_id is 'Payment that the vault belongs to; null until its order comes in.';
comment on column vaults.order_key is 'Makes the vault differ from any other of the same terms.';
comment on column vaults.token is 'Raw bytes of the token contract.';
comment on column vaults.amount is 'What the payee may receive at most, in base units; all else is the payer''s.';
comment on column vaults.payer is 'Raw bytes of the proven wallet that refunds go to.';
comment on column vaults.payee is 'Raw bytes of the account that releases go to.';
comment on column vaults.operator is 'Raw bytes of the key that divides the money before reclaim_at.';
comment on column vaults.arbiter is 'Raw bytes of the key that freezes, and divides what is frozen before dispute_at.';
comment on column vaults.reclaim_at is 'From here on the payer may take back what is not frozen.';
comment on column vaults.dispute_at is 'From here on either party may have what is frozen divided by default.';
comment on column vaults.default_to_payee is 'The payee''s total then, in base units.';
comment on column vaults.created_at is 'When the vault was first handed out.';

-- +goose StatementBegin
create function keep_vault() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or old.payment_id is not null or (to_jsonb(new) - 'payment_id') <> (to_jsonb(old) - 'payment_id') then
        raise exception 'a vault is never changed' using errcode = 'integrity_constraint_violation', constraint = 'vaults_kept';
    end if;
    return new;
end
$$;
-- +goose StatementEnd
comment on function keep_vault is 'Trigger of vaults: only the payment may be added, once.';
create trigger vaults_kept before update or delete on vaults for each row execute function keep_vault();
create trigger vaults_no_truncate before truncate on vaults for each statement execute function forbid_change();

create table ledger_entries (
    id         bigint         generated by default as identity,
    payment_id uuid,
    chain      text           not null,
    token      bytea          not null,
    txid       bytea,
    position   text,
    part       smallint,
    signer     bytea,
    nonce      bigint,
    at         timestamptz    not null,

    constraint ledger_entries_pkey primary key (id),
    constraint ledger_entries_transfer_once unique (chain, txid, position),
    constraint ledger_entries_movement_once unique (payment_id, part),
    constraint ledger_entries_gas_once unique (chain, signer, nonce),
    constraint ledger_entries_payment_fkey foreign key (payment_id) references payments (id),
    constraint ledger_entries_transfer_fkey foreign key (payment_id, chain, txid, position)
        references transfers (payment_id, chain, txid, position),
    constraint ledger_entries_one_cause check (
        num_nulls(payment_id, txid, position) = 0 and num_nonnulls(part, signer, nonce) = 0
        or num_nulls(payment_id, part) = 0 and num_nonnulls(txid, position, signer, nonce) = 0
        or num_nulls(signer, nonce) = 0 and num_nonnulls(payment_id, txid, position, part) = 0)
);
comment on table ledger_entries is 'Double-entry ledger: one entry for each confirmed transfer, each final movement and the gas of each transaction of ours.';
comment on column ledger_entries.id is 'In the order of posting.';
comment on column ledger_entries.payment_id is 'Payment that the money belongs to; null for gas.';
comment on column ledger_entries.chain is 'CAIP-2 chain id.';
comment on column ledger_entries.token is 'Raw bytes of the token; empty for the native coin. An entry has one asset.';
comment on column ledger_entries.txid is 'Of a transfer: its transaction.';
comment on column ledger_entries.position is 'Of a transfer: its position in the transaction.';
comment on column ledger_entries.part is 'Of a movement: its part.';
comment on column ledger_entries.signer is 'Of gas: who signed.';
comment on column ledger_entries.nonce is 'Of gas: the signer''s nonce.';
comment on column ledger_entries.at is 'When it was posted.';
create index ledger_entries_by_payment on ledger_entries (payment_id) where payment_id is not null;

create table ledger_lines (
    entry_id bigint         not null,
    account  text           not null,
    amount   numeric(78, 0) not null,

    constraint ledger_lines_pkey primary key (entry_id, account),
    constraint ledger_lines_entry_fkey foreign key (entry_id) references ledger_entries (id),
    constraint ledger_lines_account_known check (account in ('payer', 'held', 'payee', 'refund', 'fee', 'gas', 'operator')),
    constraint ledger_lines_amount_moves check (amount <> 0)
);
comment on table ledger_lines is 'The lines of an entry; together they are zero.';
comment on column ledger_lines.entry_id is 'The entry.';
comment on column ledger_lines.account is 'payer: came from outside; held: in our vault; payee, refund: paid on or back; fee, gas: spent; operator: our own wallet.';
comment on column ledger_lines.amount is 'Base units that the account got, below zero for what it gave.';

-- +goose StatementBegin
create function balance_entry() returns trigger language plpgsql as $$
declare
    owner uuid;
begin
    if (select sum(l.amount) from ledger_lines l where l.entry_id = new.entry_id) <> 0 then
        raise exception 'ledger entry % is not balanced', new.entry_id
            using errcode = 'integrity_constraint_violation', constraint = 'ledger_balanced';
    end if;
    if new.account = 'held' and new.amount < 0 then
        select e.payment_id into owner from ledger_entries e where e.id = new.entry_id;
        if (select sum(l.amount) from ledger_lines l join ledger_entries e on e.id = l.entry_id
            where e.payment_id = owner and l.account = 'held') < 0 then
            raise exception 'payment % holds less than nothing', owner
                using errcode = 'integrity_constraint_violation', constraint = 'ledger_held_covered';
        end if;
    end if;
    return null;
end
$$;
-- +goose StatementEnd
comment on function balance_entry is 'Trigger of ledger_lines at the end of a transaction: an entry is balanced, and nothing leaves a vault that did not arrive.';
create constraint trigger ledger_balanced after insert on ledger_lines
    deferrable initially deferred for each row execute function balance_entry();
create trigger ledger_entries_append_only before update or delete on ledger_entries for each row execute function forbid_change();
create trigger ledger_entries_no_truncate before truncate on ledger_entries for each statement execute function forbid_change();
create trigger ledger_lines_append_only before update or delete on ledger_lines for each row execute function forbid_change();
create trigger ledger_lines_no_truncate before truncate on ledger_lines for each statement execute function forbid_change();

create view ledger_balances as
    select e.payment_id, e.chain, e.token, l.account, sum(l.amount) as amount
    from ledger_lines l join ledger_entries e on e.id = l.entry_id
    group by e.payment_id, e.chain, e.token, l.account;
comment on view ledger_balances is 'What each account has, per payment and asset; gas is of no payment.';
comment on column ledger_balances.payment_id is 'Payment; null for gas.';
comment on column ledger_balances.chain is 'CAIP-2 chain id.';
comment on column ledger_balances.token is 'Raw bytes of the token; empty for the native coin.';
comment on column ledger_balances.account is 'As in ledger_lines.';
comment on column ledger_balances.amount is 'Base units; below zero for what came from outside.';

-- What was consumed before there was a ledger.
insert into ledger_entries (payment_id, chain, token, txid, position, at)
select c.payment_id, c.chain, t.token, c.txid, c.position, c.consumed_at
from consumed_transfers c
join transfers t on t.payment_id = c.payment_id and t.chain = c.chain and t.txid = c.txid and t.position = c.position
order by c.consumed_at, c.chain, c.txid, c.position;
insert into ledger_lines (entry_id, account, amount)
select e.id, l.account, l.amount
from ledger_entries e
join consumed_transfers c on c.chain = e.chain and c.txid = e.txid and c.position = e.position
cross join lateral (values ('payer', -c.amount), ('payee', c.amount)) l (account, amount);

create table signers (
    chain      text           not null,
    address    bytea          not null,
    next_nonce bigint         not null,
    epoch      bigint         not null default 0,
    stopped    text           not null default '',
    updated_at timestamptz    not null,

    constraint signers_pkey primary key (chain, address)
);
comment on table signers is 'Keys that sign our transactions, one lane of nonces each.';
comment on column signers.chain is 'CAIP-2 chain id.';
comment on column signers.address is 'Raw bytes of the key''s account.';
comment on column signers.next_nonce is 'Nonce of the next slot.';
comment on column signers.epoch is 'Raised by each process that takes the signer over; writes of an older epoch are refused.';
comment on column signers.stopped is 'Why nothing is signed any more until a person looked; empty while it signs.';
comment on column signers.updated_at is 'When a slot was last reserved, or the signer stopped.';

create table signer_slots (
    chain         text           not null,
    signer        bytea          not null,
    nonce         bigint         not null,
    target        bytea          not null,
    calldata      bytea          not null,
    calldata_hash bytea          not null,
    gas_limit     bigint         not null,
    state         text           not null,
    txid          bytea,
    created_at    timestamptz    not null,
    updated_at    timestamptz    not null,

    constraint signer_slots_pkey primary key (chain, signer, nonce),
    constraint signer_slots_signer_fkey foreign key (chain, signer) references signers (chain, address),
    constraint signer_slots_hash_of_calldata check (calldata_hash = sha256(calldata)),
    constraint signer_slots_state_known check (state in ('prepared', 'signed', 'sent', 'final')),
    constraint signer_slots_final_by_transaction check ((state = 'final') = (txid is not null))
);
comment on table signer_slots is 'What each nonce of a signer is for. Of all transactions that were ever signed for it one at most is carried out.';
comment on column signer_slots.chain is 'CAIP-2 chain id.';
comment on column signer_slots.signer is 'Raw bytes of the signer.';
comment on column signer_slots.nonce is 'The nonce.';
comment on column signer_slots.target is 'Raw bytes of the contract that is called.';
comment on column signer_slots.calldata is 'What is called; every transaction of the slot has the same.';
comment on column signer_slots.calldata_hash is 'SHA-256 of calldata.';
comment on column signer_slots.gas_limit is 'Gas that a transaction of the slot may use.';
comment on column signer_slots.state is 'prepared: reserved; signed: bytes are stored; sent: handed to the chain at least once; final: one transaction is in a final block.';
comment on column signer_slots.txid is 'The transaction that is in a final block.';
comment on column signer_slots.created_at is 'When the slot was reserved.';
comment on column signer_slots.updated_at is 'When it last changed, or was last sent.';
create index signer_slots_open on signer_slots (chain, signer, nonce) where state <> 'final';

create table slot_transactions (
    chain     text           not null,
    signer    bytea          not null,
    nonce     bigint         not null,
    attempt   smallint       not null,
    txid      bytea          not null,
    raw       bytea          not null,
    max_fee   numeric(78, 0) not null,
    tip       numeric(78, 0) not null,
    signed_at timestamptz    not null,

    constraint slot_transactions_pkey primary key (chain, signer, nonce, attempt),
    constraint slot_transactions_txid_unique unique (chain, txid),
    constraint slot_transactions_slot_fkey foreign key (chain, signer, nonce) references signer_slots (chain, signer, nonce)
);
comment on table slot_transactions is 'Signed transactions, stored before they are sent. Later ones of a slot differ in fees alone.';
comment on column slot_transactions.chain is 'CAIP-2 chain id.';
comment on column slot_transactions.signer is 'Raw bytes of the signer.';
comment on column slot_transactions.nonce is 'The nonce.';
comment on column slot_transactions.attempt is 'From 0.';
comment on column slot_transactions.txid is 'Raw transaction id.';
comment on column slot_transactions.raw is 'The signed bytes.';
comment on column slot_transactions.max_fee is 'Fee for a unit of gas at most, in the chain''s smallest unit.';
comment on column slot_transactions.tip is 'Part of it for whoever makes the block; 0 on chains without such a part.';
comment on column slot_transactions.signed_at is 'When it was signed.';
create trigger slot_transactions_append_only before update or delete on slot_transactions for each row execute function forbid_change();
create trigger slot_transactions_no_truncate before truncate on slot_transactions for each statement execute function forbid_change();

create table movements (
    payment_id uuid           not null,
    part       smallint       not null,
    purpose    text           not null,
    source     text           not null,
    chain      text           not null,
    token      bytea          not null,
    vault      bytea,
    to_payee   numeric(78, 0) not null,
    to_payer   numeric(78, 0) not null,
    state      text           not null,
    alone      boolean        not null default false,
    signer     bytea,
    nonce      bigint,
    problem    text           not null default '',
    created_at timestamptz    not null,
    updated_at timestamptz    not null,

    constraint movements_pkey primary key (payment_id, part),
    constraint movements_payment_fkey foreign key (payment_id) references payments (id),
    constraint movements_vault_fkey foreign key (chain, vault) references vaults (chain, address),
    constraint movements_slot_fkey foreign key (chain, signer, nonce) references signer_slots (chain, signer, nonce),
    constraint movements_part_known check (part between 0 and 95),
    constraint movements_purpose_known check (purpose in ('release', 'refund')),
    constraint movements_source_known check (source in ('vault', 'operator_wallet')),
    constraint movements_vault_of_source check ((source = 'vault') = (vault is not null)),
    constraint movements_amounts_positive check (to_payee >= 0 and to_payer >= 0 and to_payee + to_payer > 0),
    constraint movements_refund_to_payer check (purpose <> 'refund' or to_payee = 0),
    constraint movements_state_known check
        (state in ('proposed', 'approved', 'prepared', 'signed', 'sent', 'final', 'reverted', 'cancelled')),
    constraint movements_slot_once_prepared check
        ((state in ('prepared', 'signed', 'sent', 'final', 'reverted')) = (num_nonnulls(signer, nonce) = 2) and num_nonnulls(signer, nonce) <> 1)
);
comment on table movements is 'Money that we move, each part at most once.';
comment on column movements.payment_id is 'Payment that the money belongs to.';
comment on column movements.part is 'Counts the payment''s movements from 0; a part that was tried is never used again.';
comment on column movements.purpose is 'release or refund.';
comment on column movements.source is 'vault, or operator_wallet: our own account.';
comment on column movements.chain is 'CAIP-2 chain id.';
comment on column movements.token is 'Raw bytes of the token; empty for the native coin.';
comment on column movements.vault is 'Raw bytes of the vault that the money is in; null for operator_wallet.';
comment on column movements.to_payee is 'Base units for the payee.';
comment on column movements.to_payer is 'Base units for the payer.';
comment on column movements.state is 'proposed: waits for approval; approved; prepared: has a nonce; signed; sent; final: the part''s own event is in a final block; reverted: its nonce is used and nothing moved; cancelled: before it had a nonce.';
comment on column movements.alone is 'Its batch failed: it goes in a transaction of its own.';
comment on column movements.signer is 'Raw bytes of the signer whose slot it is in; null before.';
comment on column movements.nonce is 'Nonce of the slot; null before.';
comment on column movements.problem is 'Why it was reverted or cancelled, in words; empty otherwise.';
comment on column movements.created_at is 'When it was decided.';
comment on column movements.updated_at is 'When it last changed.';
-- A payment has one movement under way at a time, so no two decisions about one sum can be on their way together.
create unique index movements_one_under_way on movements (payment_id) where state in ('proposed', 'approved', 'prepared', 'signed', 'sent');
create index movements_by_slot on movements (chain, signer, nonce) where nonce is not null;
create index movements_waiting on movements (chain, created_at) where state = 'approved';

-- +goose StatementBegin
create function guard_movement() returns trigger language plpgsql as $$
declare
    received numeric;
    moved    numeric;
    payees   numeric;
    price    numeric;
begin
    if tg_op = 'DELETE' then
        raise exception 'a movement is never deleted' using errcode = 'integrity_constraint_violation', constraint = 'movements_kept';
    end if;
    if tg_op = 'UPDATE' then
        if (to_jsonb(new) - array['state', 'signer', 'nonce', 'problem', 'updated_at'])
            <> (to_jsonb(old) - array['state', 'signer', 'nonce', 'problem', 'updated_at'])
            or old.nonce is not null and (new.signer, new.nonce) is distinct from (old.signer, old.nonce) then
            raise exception 'what a movement moves is never changed' using errcode = 'integrity_constraint_violation', constraint = 'movements_kept';
        end if;
        if new.state <> old.state and (old.state, new.state) not in
            (('proposed', 'approved'), ('proposed', 'cancelled'), ('approved', 'prepared'), ('approved', 'cancelled'),
             ('prepared', 'signed'), ('signed', 'sent'), ('sent', 'final'), ('sent', 'reverted')) then
            raise exception 'a movement does not go from % to %', old.state, new.state
                using errcode = 'integrity_constraint_violation', constraint = 'movements_forward';
        end if;
        return new;
    end if;
    -- The payment's row is locked, so that of two movements the later one counts the earlier.
    select p.amount into price from payments p where p.id = new.payment_id for no key update;
    if not found then
        return new; -- the foreign key says it better
    end if;
    select coalesce(-sum(b.amount), 0) into received from ledger_balances b
        where b.payment_id = new.payment_id and b.chain = new.chain and b.token = new.token and b.account = 'payer';
    select coalesce(sum(m.to_payee + m.to_payer), 0), coalesce(sum(m.to_payee), 0) into moved, payees from movements m
        where m.payment_id = new.payment_id and m.state not in ('reverted', 'cancelled');
    if moved + new.to_payee + new.to_payer > received then
        raise exception 'payment % has received % and would move %', new.payment_id, received, moved + new.to_payee + new.to_payer
            using errcode = 'integrity_constraint_violation', constraint = 'movements_within_received';
    end if;
    if payees + new.to_payee > price then
        raise exception 'payment % would pay the payee more than its price', new.payment_id
            using errcode = 'integrity_constraint_violation', constraint = 'movements_payee_within_price';
    end if;
    return new;
end
$$;
-- +goose StatementEnd
comment on function guard_movement is 'Trigger of movements: states only go forward, amounts never change, and no more is moved than was received.';
create trigger movements_guarded before insert or update or delete on movements for each row execute function guard_movement();
create trigger movements_no_truncate before truncate on movements for each statement execute function forbid_change();

alter table ledger_entries add constraint ledger_entries_movement_fkey foreign key (payment_id, part) references movements (payment_id, part);
alter table ledger_entries add constraint ledger_entries_gas_fkey foreign key (chain, signer, nonce) references signer_slots (chain, signer, nonce);

create table halts (
    scope     text        not null,
    reason    text        not null,
    halted_at timestamptz not null,

    constraint halts_pkey primary key (scope)
);
comment on table halts is 'Kill switch: while a row stands, everything is seen and nothing is moved.';
comment on column halts.scope is 'CAIP-2 chain id, or * for all chains.';
comment on column halts.reason is 'Who or what halted, and why, for people.';
comment on column halts.halted_at is 'When.';

-- +goose Down

drop table halts;
alter table ledger_entries drop constraint ledger_entries_gas_fkey;
alter table ledger_entries drop constraint ledger_entries_movement_fkey;
drop table movements;
drop function guard_movement();
drop table slot_transactions;
drop table signer_slots;
drop table signers;
drop view ledger_balances;
drop table ledger_lines;
drop table ledger_entries;
drop function balance_entry();
drop table vaults;
drop function keep_vault();
drop index payments_vault_unique;
alter table payments drop column paid_out;
alter table payments drop column payout;
alter table payments drop column custody;
