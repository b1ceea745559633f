-- +goose Up

-- Of all transactions with one sender and nonce one at most is ever carried out. Where a waiting transaction stood tells
-- later that another one has taken its place.
alter table payments add column named_sender bytea;
alter table payments add column named_nonce numeric(20, 0);
alter table payments add constraint payments_named_slot_whole check (num_nulls(named_sender, named_nonce) <> 1);
alter table payments add constraint payments_named_slot_of_named check (named_sender is null or named_txid is not null);
comment on column payments.named_sender is 'Raw sender of the named transaction while it waited for a block; null until it was seen waiting.';
comment on column payments.named_nonce is 'Its nonce.';

-- +goose Down

alter table payments drop column named_nonce;
alter table payments drop column named_sender;
