-- +goose Up

-- What is stored of a seen transfer stays when it becomes final: only the head that made it so is added.
alter table transfers add column final_head bigint;
comment on column transfers.final_head is 'Head under which the stored transfer became final; null where the evidence names it, or before.';

-- Most payments have one of the two payers. An update of the row then writes into the index of that one alone.
drop index payments_open_proven;
drop index payments_open_named;
drop index payments_settled_proven;
drop index payments_settled_named;
create index payments_open_proven on payments (chain, token, payee, proven_payer, amount) where open and proven_payer is not null;
create index payments_open_named on payments (chain, token, payee, named_payer, amount) where open and named_payer is not null;
create index payments_settled_proven on payments (chain, token, payee, proven_payer, amount)
    where watched and not open and proven_payer is not null;
create index payments_settled_named on payments (chain, token, payee, named_payer, amount)
    where watched and not open and named_payer is not null;

-- +goose Down

drop index payments_settled_named;
drop index payments_settled_proven;
drop index payments_open_named;
drop index payments_open_proven;
create index payments_open_proven on payments (chain, token, payee, proven_payer, amount) where open;
create index payments_open_named on payments (chain, token, payee, named_payer, amount) where open;
create index payments_settled_proven on payments (chain, token, payee, proven_payer, amount) where watched and not open;
create index payments_settled_named on payments (chain, token, payee, named_payer, amount) where watched and not open;
alter table transfers drop column final_head;
