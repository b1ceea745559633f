-- +goose Up

alter table movements add column receiver bytea;
alter table movements add constraint movements_receiver_of_source check ((source = 'operator_wallet') = (receiver is not null));
alter table movements add constraint movements_own_money_goes_back check (source <> 'operator_wallet' or to_payee = 0 and purpose in ('refund', 'partial_refund', 'surplus'));
comment on column movements.receiver is 'Of operator_wallet: raw bytes of the account that gets it. A vault pays the parties of its terms.';
comment on column movements.state is 'proposed: waits for approval; approved; prepared: has a nonce; signed; sent; final: the part''s own event, or the transfer itself, is in a final block; reverted: its nonce is used and nothing moved; cancelled: before it had a nonce.';

-- +goose StatementBegin
create function give_back() returns trigger language plpgsql as $$
declare
    received numeric;
    returned numeric;
    surplus  numeric;
    payment  record;
begin
    select p.custody, p.chain, p.token, p.payee, p.amount,
           p.state in ('released', 'refunded', 'split', 'closed') and (p.paid_by is null or p.paid_out is not null) as over
        into payment from payments p where p.id = new.payment_id for no key update;
    if not found then
        return null; -- the foreign key says it better
    end if;
    if payment.custody <> '' or payment.chain is distinct from new.chain or payment.token is distinct from new.token or payment.payee = new.receiver then
        raise exception 'our own money does not go to % for payment %', new.receiver, new.payment_id
            using errcode = 'integrity_constraint_violation', constraint = 'movements_own_money_of_direct';
    end if;
    select coalesce(-sum(b.amount), 0) into received from ledger_balances b
        where b.payment_id = new.payment_id and b.chain = new.chain and b.token = new.token and b.account = 'payer';
    select coalesce(sum(m.to_payer), 0), coalesce(sum(m.to_payer) filter (where m.purpose = 'surplus'), 0) into returned, surplus from movements m
        where m.payment_id = new.payment_id and m.state not in ('reverted', 'cancelled');
    if new.purpose = 'refund' and returned <> received then
        raise exception 'payment % has received % and a refund would leave %', new.payment_id, received, received - returned
            using errcode = 'integrity_constraint_violation', constraint = 'movements_leave_nothing';
    end if;
    if new.purpose = 'surplus' and not payment.over and surplus > received - payment.amount then
        raise exception 'payment % has received % and would give back % as surplus', new.payment_id, received, surplus
            using errcode = 'integrity_constraint_violation', constraint = 'movements_surplus_above_price';
    end if;
    return null;
end
$$;
-- +goose StatementEnd
comment on function give_back is 'Trigger of movements from our own wallet at the end of a transaction: they give back what a direct payment has brought, all of it with a refund.';
create constraint trigger movements_given_back after insert on movements
    deferrable initially deferred for each row when (new.source = 'operator_wallet') execute function give_back();

alter table signer_slots add column value numeric(78, 0) not null default 0;
alter table signer_slots add constraint signer_slots_value_positive check (value >= 0);
comment on column signer_slots.value is 'Native coin that goes with the call, in its smallest unit; every transaction of the slot has the same, until it is void.';

alter table payments add constraint payments_given_back_when_refunded check
    (custody <> '' or state <> 'refunded' or paid_out is not null and payout = 'refund');

alter table approvals add column because text not null default '';
comment on column approvals.because is 'Why other people must approve, in words.';

-- +goose Down

alter table approvals drop column because;
alter table payments drop constraint payments_given_back_when_refunded;
alter table signer_slots drop column value;
drop trigger movements_given_back on movements;
drop function give_back();
comment on column movements.state is 'proposed: waits for approval; approved; prepared: has a nonce; signed; sent; final: the part''s own event is in a final block; reverted: its nonce is used and nothing moved; cancelled: before it had a nonce.';
alter table movements drop constraint movements_own_money_goes_back;
alter table movements drop column receiver;
