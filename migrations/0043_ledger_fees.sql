-- +goose Up

alter table transfers add column withheld numeric(78, 0) not null default 0;
alter table transfers add constraint transfers_withheld_positive check (withheld >= 0);
comment on column transfers.withheld is 'Base units that the token itself kept on the way: amount and withheld left the payer. 0 also where the chain does not tell it, and of what was seen before this was stored.';

alter table ledger_lines drop constraint ledger_lines_account_known;
alter table ledger_lines add constraint ledger_lines_account_known
    check (account in ('payer', 'held', 'payee', 'refund', 'fee', 'payer_fee', 'gas', 'rent', 'operator'));
alter table ledger_lines add constraint ledger_lines_fee_is_kept check (case account when 'fee' then amount > 0 when 'payer_fee' then amount < 0 else true end);
alter table ledger_totals drop constraint ledger_totals_account_known;
alter table ledger_totals add constraint ledger_totals_account_known
    check (account in ('payer', 'held', 'payee', 'refund', 'fee', 'payer_fee', 'gas', 'rent', 'operator'));
comment on column ledger_lines.account is 'payer: came from outside and arrived; held: in our vault; payee, refund: arrived there; fee: kept on the way by the token or the chain; payer_fee: left the payer beside what arrived, for the token to keep; gas: spent; rent: in token accounts that we have made, from which it comes back; operator: our own wallet.';

-- What arrived is told by payer alone, so who adds up what a payment has received need not know of fees.
-- +goose StatementBegin
create function keep_fee() returns trigger language plpgsql as $$
declare
    entry record;
begin
    select e.payment_id, e.chain, e.txid, e.position, e.part into strict entry from ledger_entries e where e.id = new.entry_id;
    if entry.txid is not null and exists (
        select from transfers t
        where t.payment_id = entry.payment_id and t.chain = entry.chain and t.txid = entry.txid and t.position = entry.position
          and (select array_agg(l.amount order by l.account) from ledger_lines l where l.entry_id = new.entry_id and l.account in ('fee', 'payer_fee'))
              = array[t.withheld, -t.withheld]) then
        return null;
    end if;
    if entry.part is not null and new.account = 'fee' and exists (
        select from movements m
        cross join lateral (
            select coalesce(sum(l.amount) filter (where l.account = 'payee'), 0) as payee, coalesce(sum(l.amount) filter (where l.account = 'refund'), 0) as refund,
                   coalesce(sum(l.amount) filter (where l.account in ('held', 'operator')), 0) as source
            from ledger_lines l where l.entry_id = new.entry_id) a
        where m.payment_id = entry.payment_id and m.part = entry.part
          and a.payee between 0 and m.to_payee and a.refund between 0 and m.to_payer and a.source = -m.to_payee - m.to_payer) then
        return null;
    end if;
    raise exception 'ledger entry % has a fee that nothing has kept', new.entry_id
        using errcode = 'integrity_constraint_violation', constraint = 'ledger_fee_of_cause';
end
$$;
-- +goose StatementEnd
comment on function keep_fee is 'Trigger of ledger_lines at the end of a transaction: a fee is what was withheld of the entry''s transfer, beside what arrived, or what of a movement did not arrive.';
create constraint trigger ledger_fee_of_cause after insert on ledger_lines
    deferrable initially deferred for each row when (new.account in ('fee', 'payer_fee')) execute function keep_fee();

-- +goose Down

drop trigger ledger_fee_of_cause on ledger_lines;
drop function keep_fee();
comment on column ledger_lines.account is 'payer: came from outside; held: in our vault; payee, refund: paid on or back; fee, gas: spent; rent: in token accounts that we have made, from which it comes back; operator: our own wallet.';
alter table ledger_totals drop constraint ledger_totals_account_known;
alter table ledger_totals add constraint ledger_totals_account_known check (account in ('payer', 'held', 'payee', 'refund', 'fee', 'gas', 'rent', 'operator')) not valid;
alter table ledger_lines drop constraint ledger_lines_fee_is_kept;
alter table ledger_lines drop constraint ledger_lines_account_known;
alter table ledger_lines add constraint ledger_lines_account_known check (account in ('payer', 'held', 'payee', 'refund', 'fee', 'gas', 'rent', 'operator')) not valid;
alter table transfers drop constraint transfers_withheld_positive;
alter table transfers drop column withheld;
