-- +goose Up

alter table slot_transactions add column last_height bigint not null default 0;
alter table slot_transactions alter column last_height drop default;
alter table slot_transactions add constraint slot_transactions_last_height_positive check (last_height >= 0);
comment on column slot_transactions.last_height is 'Block height above which no block can hold it, where transactions expire; 0 where they do not.';

-- +goose Down

alter table slot_transactions drop column last_height;
