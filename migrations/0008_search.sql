-- +goose Up

-- People ask how long something has waited: since it came into its state, not since it last changed.
alter table payments add column state_since timestamptz not null default now();
comment on column payments.state_since is 'When the payment came into its state.';
update payments p
set state_since = coalesce((select max(e.at) from payment_events e where e.payment_id = p.id and e.from_state <> e.to_state), p.created_at);

create index payments_for_people on payments (state, state_since, id) where state in ('needs_review', 'frozen');
create index payments_flagged on payments (id) where flags <> '{}';
create index payments_by_amount on payments (chain, token, amount);

-- Written once for each payment. Indexes on payments itself would be written again with each of its changes.
create table payment_addresses (
    address    bytea not null,
    payment_id uuid  not null,

    constraint payment_addresses_pkey primary key (address, payment_id),
    constraint payment_addresses_payment_fkey foreign key (payment_id) references payments (id)
);
comment on table payment_addresses is 'Which payments name an address, as payee or as one of the payers, for looking them up.';
comment on column payment_addresses.address is 'Raw bytes of the account.';
comment on column payment_addresses.payment_id is 'Payment that names it.';
-- +goose StatementBegin
create function index_payment_addresses() returns trigger language plpgsql as $$
begin
    insert into payment_addresses (address, payment_id)
    select a.address, new.id from unnest(array[new.payee, new.proven_payer, new.named_payer]) a(address) where a.address is not null
    on conflict on constraint payment_addresses_pkey do nothing;
    return null;
end
$$;
-- +goose StatementEnd
comment on function index_payment_addresses is 'Trigger of payments: keeps payment_addresses.';
create trigger payments_addresses after insert or update of payee, proven_payer, named_payer on payments
    for each row when (new.payee is not null) execute function index_payment_addresses();
insert into payment_addresses (address, payment_id)
select distinct a.address, p.id from payments p cross join unnest(array[p.payee, p.proven_payer, p.named_payer]) a(address)
where p.payee is not null and a.address is not null;

-- Who paid may be another than who was named.
create index transfers_by_payer on transfers (payer, payment_id);

-- +goose Down

drop index transfers_by_payer;
drop trigger payments_addresses on payments;
drop function index_payment_addresses;
drop table payment_addresses;
drop index payments_by_amount;
drop index payments_flagged;
drop index payments_for_people;
alter table payments drop column state_since;
