-- +goose Up

alter table signers add column looked_below bigint not null default 0;
comment on column signers.looked_below is 'Nonces below were used when a person last let the signer go on: one of them that a foreign transaction has used does not stop it again.';

-- +goose Down

alter table signers drop column looked_below;
