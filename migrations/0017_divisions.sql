-- +goose Up

alter table payments drop constraint payments_state_known;
alter table payments add constraint payments_state_known check (state in ('new', 'awaiting_payment', 'verifying', 'confirming', 'verified',
    'held', 'release_pending', 'released', 'frozen', 'refund_pending', 'refunded', 'split_pending', 'split', 'expired', 'needs_review', 'closed'));
alter table payments drop constraint payments_paid_when_settled;
alter table payments add constraint payments_paid_when_settled check
    (paid_by is not null or state not in ('verified', 'held', 'release_pending', 'released', 'split_pending', 'split'));
alter table payments drop constraint payments_payout_known;
alter table payments add constraint payments_payout_known check (payout in ('', 'release', 'refund', 'split'));
alter table payments drop constraint payments_over_when_paid_out;
alter table payments add constraint payments_over_when_paid_out check (custody <> 'vault' or state not in ('released', 'refunded', 'split')
    or paid_out is not null and payout = case state when 'released' then 'release' when 'refunded' then 'refund' else 'split' end);
comment on column payments.payout is 'What the money is moved for since a movement was prepared: release, refund or split; empty before.';

alter table movements drop constraint movements_purpose_known;
alter table movements add constraint movements_purpose_known check (purpose in ('release', 'refund', 'split', 'partial_refund', 'surplus'));
alter table movements drop constraint movements_refund_to_payer;
alter table movements add constraint movements_refund_to_payer check (purpose in ('release', 'split') or to_payee = 0);
alter table movements add constraint movements_split_has_two_parts check (purpose <> 'split' or to_payee > 0 and to_payer > 0);
comment on column movements.purpose is 'release, refund or split, which take all that is held; partial_refund or surplus, which leave the payment as it is.';

-- +goose StatementBegin
create function divide_held() returns trigger language plpgsql as $$
declare
    held     numeric;
    received numeric;
    surplus  numeric;
    payment  record;
begin
    select p.amount, p.state in ('released', 'refunded', 'split', 'closed') and (p.paid_by is null or p.paid_out is not null) as over
        into payment from payments p where p.id = new.payment_id for no key update;
    if not found then
        return null; -- the foreign key says it better
    end if;
    select coalesce(sum(b.amount) filter (where b.account = 'held'), 0), coalesce(-sum(b.amount) filter (where b.account = 'payer'), 0)
        into held, received from ledger_balances b
        where b.payment_id = new.payment_id and b.chain = new.chain and b.token = new.token;
    if new.purpose in ('release', 'refund', 'split') and new.to_payee + new.to_payer <> held then
        raise exception 'payment % holds % and would divide %', new.payment_id, held, new.to_payee + new.to_payer
            using errcode = 'integrity_constraint_violation', constraint = 'movements_leave_nothing';
    end if;
    if new.purpose = 'partial_refund' and new.to_payer >= held then
        raise exception 'payment % holds % and a part of it would be %', new.payment_id, held, new.to_payer
            using errcode = 'integrity_constraint_violation', constraint = 'movements_part_leaves_something';
    end if;
    select coalesce(sum(m.to_payer), 0) into surplus from movements m
        where m.payment_id = new.payment_id and m.purpose = 'surplus' and m.state not in ('reverted', 'cancelled');
    if new.purpose = 'surplus' and not payment.over and surplus > received - payment.amount then
        raise exception 'payment % has received % and would give back % as surplus', new.payment_id, received, surplus
            using errcode = 'integrity_constraint_violation', constraint = 'movements_surplus_above_price';
    end if;
    return null;
end
$$;
-- +goose StatementEnd
comment on function divide_held is 'Trigger of movements from vaults at the end of a transaction: those that end a payment leave nothing, the others leave what is the payee''s.';
create constraint trigger movements_divided after insert on movements
    deferrable initially deferred for each row when (new.source = 'vault') execute function divide_held();

-- +goose Down

drop trigger movements_divided on movements;
drop function divide_held();
alter table movements drop constraint movements_split_has_two_parts;
alter table movements drop constraint movements_refund_to_payer;
alter table movements add constraint movements_refund_to_payer check (purpose <> 'refund' or to_payee = 0) not valid;
alter table movements drop constraint movements_purpose_known;
alter table movements add constraint movements_purpose_known check (purpose in ('release', 'refund')) not valid;
comment on column movements.purpose is 'release or refund.';
comment on column payments.payout is 'What the money is moved for since a movement was prepared: release or refund; empty before.';
alter table payments drop constraint payments_over_when_paid_out;
alter table payments add constraint payments_over_when_paid_out check (custody <> 'vault' or state not in ('released', 'refunded')
    or paid_out is not null and payout = case state when 'released' then 'release' else 'refund' end);
alter table payments drop constraint payments_payout_known;
alter table payments add constraint payments_payout_known check (payout in ('', 'release', 'refund')) not valid;
alter table payments drop constraint payments_paid_when_settled;
alter table payments add constraint payments_paid_when_settled check
    (paid_by is not null or state not in ('verified', 'held', 'release_pending', 'released', 'split'));
alter table payments drop constraint payments_state_known;
alter table payments add constraint payments_state_known check (state in ('new', 'awaiting_payment', 'verifying', 'confirming', 'verified',
    'held', 'release_pending', 'released', 'frozen', 'refund_pending', 'refunded', 'split', 'expired', 'needs_review', 'closed')) not valid;
