-- +goose Up

alter table signer_slots add column unseen_hash bytea;
alter table signer_slots add constraint signer_slots_unseen_from_block check (unseen_hash is null or block_number is not null);
comment on column signer_slots.unseen_hash is 'Hash of that block, as whoever called the transaction final has read it, until the watcher of the chain has come to the block and compared it; null afterwards, and where blocks are not told.';
create index signer_slots_unseen on signer_slots (chain, block_number) where unseen_hash is not null;

-- +goose Down

drop index signer_slots_unseen;
alter table signer_slots drop constraint signer_slots_unseen_from_block;
alter table signer_slots drop column unseen_hash;
