-- +goose Up

alter table payments add column reference bytea;
comment on column payments.reference is 'Raw key that a transfer names to say that it pays this payment alone; null on chains whose transfers name none.';
alter table payments add constraint payments_reference_unique unique (reference);
alter table payments add constraint payments_reference_length check (octet_length(reference) = 32);
alter table payments drop constraint payments_payer_known;
alter table payments add constraint payments_payer_known
    check (payee is null or num_nonnulls(proven_payer, named_payer, reference) > 0);

alter table transfers add column reference_keys bytea not null default '';
alter table transfers add constraint transfers_reference_keys_length check (octet_length(reference_keys) % 32 = 0);
comment on column transfers.reference_keys is 'Raw keys that the transfer names beside its own accounts, 32 bytes each, one after the other.';

-- +goose Down

alter table transfers drop column reference_keys;
-- What only a reference binds has no payer that the schema before could hold it to: it cannot be kept there.
alter table payments drop constraint payments_payer_known;
alter table payments add constraint payments_payer_known
    check (payee is null or num_nonnulls(proven_payer, named_payer) > 0);
alter table payments drop column reference;
