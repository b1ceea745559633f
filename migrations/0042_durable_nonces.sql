-- +goose Up

alter table signers add column durable_nonce bytea;
alter table signers add constraint signers_durable_nonce_length check (octet_length(durable_nonce) = 32);
comment on column signers.durable_nonce is 'Where slots stand on a durable nonce: its value after the last one that ended; another one on the chain was made by a transaction that is none of ours. Null elsewhere.';

-- +goose Down

alter table signers drop column durable_nonce;
