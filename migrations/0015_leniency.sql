-- +goose Up

alter table payments add column under_by numeric(78, 0) not null default 0;
alter table payments add column over_by numeric(78, 0) not null default 0;
alter table payments add column parts boolean not null default false;
alter table payments add column late_seconds integer not null default 0;
alter table payments add column any_payer boolean not null default false;
alter table payments add column received numeric(78, 0) not null default 0;
comment on column payments.under_by is 'By how many base units less than the price may arrive for the payment to be settled all the same.';
comment on column payments.over_by is 'By how many base units more.';
comment on column payments.parts is 'Several transfers of less than the price add up.';
comment on column payments.late_seconds is 'How long after the grace a payment is taken all the same.';
comment on column payments.any_payer is 'The exact price counts from any wallet, where it fits this open payment alone.';
comment on column payments.received is 'Base units that the transfers brought which the payment has consumed.';
update payments p set received = c.received
from (select payment_id, sum(amount) as received from consumed_transfers group by payment_id) c
where c.payment_id = p.id and p.paid_by is not null;
alter table payments add constraint payments_under_below_amount check (under_by >= 0 and (under_by = 0 or under_by < amount));
alter table payments add constraint payments_over_not_negative check (over_by >= 0);
alter table payments add constraint payments_late_not_negative check (late_seconds >= 0);
alter table payments add constraint payments_received_by_parts check (received = 0 or received > 0 and (parts or paid_by is not null));

-- What is still to be paid of an open payment is what a transfer is compared with.
alter table payments add column due numeric not null generated always as (coalesce(amount - received, 0)) stored;
comment on column payments.due is 'Base units that are missing of the price.';
drop index payments_open_proven;
drop index payments_open_named;
drop index payments_open_amount;
create index payments_open_proven on payments (chain, token, payee, proven_payer, due) where open and proven_payer is not null;
create index payments_open_named on payments (chain, token, payee, named_payer, due) where open and named_payer is not null;
create index payments_open_due on payments (chain, token, payee, due) where open;

-- +goose Down

drop index payments_open_due;
drop index payments_open_named;
drop index payments_open_proven;
create index payments_open_proven on payments (chain, token, payee, proven_payer, amount) where open and proven_payer is not null;
create index payments_open_named on payments (chain, token, payee, named_payer, amount) where open and named_payer is not null;
create index payments_open_amount on payments (chain, token, payee, amount) where open;
alter table payments drop column due;
alter table payments drop column received;
alter table payments drop column any_payer;
alter table payments drop column late_seconds;
alter table payments drop column parts;
alter table payments drop column over_by;
alter table payments drop column under_by;
