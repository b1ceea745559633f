-- +goose Up

alter table signer_slots add column problem text not null default '';
alter table signer_slots add column block_number bigint;
alter table signer_slots add column gone_at timestamptz;
alter table signer_slots add constraint signer_slots_problem_of_final check (problem = '' or state = 'final');
alter table signer_slots add constraint signer_slots_block_of_final check (block_number is null or state = 'final' and txid is not null);
alter table signer_slots add constraint signer_slots_gone_from_block check (gone_at is null or block_number is not null);
comment on column signer_slots.problem is 'Of a call that moves nothing by itself, such as a freeze: why its final transaction has done nothing, in words; empty where it was carried out.';
comment on column signer_slots.block_number is 'Final block that the transaction is in; null also where the slot ended before that was recorded.';
comment on column signer_slots.gone_at is 'When that block left the chain; null while the transaction is there.';
create index signer_slots_by_block on signer_slots (chain, block_number) where block_number is not null;
create index signer_slots_gone on signer_slots (chain, gone_at) where gone_at is not null;

alter table halt_records add column signer bytea;
alter table halt_records drop constraint halt_records_action_known;
alter table halt_records add constraint halt_records_action_known check (action in ('halt', 'resume', 'restart'));
alter table halt_records add constraint halt_records_signer_of_restart check ((action = 'restart') = (signer is not null));
comment on table halt_records is 'Who has halted and resumed, and let stopped signers go on, append-only.';
comment on column halt_records.action is 'halt or resume; restart: a stopped signer signs again.';
comment on column halt_records.signer is 'Of restart: raw bytes of the signer.';

-- +goose Down

alter table halt_records drop constraint halt_records_signer_of_restart;
alter table halt_records drop constraint halt_records_action_known;
alter table halt_records add constraint halt_records_action_known check (action in ('halt', 'resume')) not valid;
alter table halt_records drop column signer;
comment on table halt_records is 'Who has halted and resumed, append-only.';
comment on column halt_records.action is 'halt or resume.';

drop index signer_slots_gone;
drop index signer_slots_by_block;
alter table signer_slots drop constraint signer_slots_gone_from_block;
alter table signer_slots drop constraint signer_slots_block_of_final;
alter table signer_slots drop constraint signer_slots_problem_of_final;
alter table signer_slots drop column gone_at;
alter table signer_slots drop column block_number;
alter table signer_slots drop column problem;
