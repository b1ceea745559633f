-- +goose Up

alter table signer_slots add column void text not null default '';
comment on column signer_slots.void is 'Why the nonce is filled by a transaction that does nothing, in words; empty where it carries out its calldata.';
comment on table slot_transactions is 'Signed transactions, stored before they are sent. Later ones of a slot differ in fees alone, until it is void.';

-- +goose Down

comment on table slot_transactions is 'Signed transactions, stored before they are sent. Later ones of a slot differ in fees alone.';
alter table signer_slots drop column void;
