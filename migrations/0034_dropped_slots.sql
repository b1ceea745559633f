-- +goose Up

alter table signer_slots drop constraint signer_slots_final_by_transaction;
alter table signer_slots add constraint signer_slots_final_by_transaction check
    (case when state = 'final' then txid is not null or void <> '' else txid is null end);
comment on column signer_slots.state is 'prepared: reserved; signed: bytes are stored; sent: handed to the chain at least once; final: one transaction is in a final block or, without one, none of the slot can ever be in a block.';
comment on column signer_slots.txid is 'The transaction that is in a final block; null also where none can ever be in one.';
comment on column signer_slots.void is 'Why the nonce is filled by a transaction that does nothing or, where nonces need not be filled, why nothing of the slot will be carried out, in words; empty where it carries out its calldata.';

-- As before, but that a movement is reverted without having been signed, with its slot.
-- +goose StatementBegin
create or replace function guard_movement() returns trigger language plpgsql as $$
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
             ('prepared', 'signed'), ('signed', 'sent'), ('sent', 'final'), ('sent', 'reverted'), ('prepared', 'reverted')) then
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

-- +goose Down

-- +goose StatementBegin
create or replace function guard_movement() returns trigger language plpgsql as $$
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
comment on column signer_slots.void is 'Why the nonce is filled by a transaction that does nothing, in words; empty where it carries out its calldata.';
comment on column signer_slots.txid is 'The transaction that is in a final block.';
comment on column signer_slots.state is 'prepared: reserved; signed: bytes are stored; sent: handed to the chain at least once; final: one transaction is in a final block.';
alter table signer_slots drop constraint signer_slots_final_by_transaction;
alter table signer_slots add constraint signer_slots_final_by_transaction check ((state = 'final') = (txid is not null)) not valid;
