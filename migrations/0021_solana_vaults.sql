-- +goose Up

alter table vaults add column derived_for uuid;
alter table vaults add column generation bigint;
alter table vaults add column epoch bigint;
alter table vaults add constraint vaults_derivation_whole check (num_nulls(derived_for, generation, epoch) in (0, 3));
alter table vaults add constraint vaults_generation_known check (generation between 0 and 4294967295);
alter table vaults add constraint vaults_epoch_known check (epoch between 1 and 4294967295);
-- Two vaults of one key would be one address.
create unique index vaults_derivation_unique on vaults (chain, marketplace, derived_for, generation, epoch) where derived_for is not null;
comment on column vaults.derived_for is 'Of a wallet whose key is derived: the payment''s id, or the first half of the order key where there was no payment yet; null for a contract.';
comment on column vaults.generation is 'Of such a wallet: 0, or more when an order gets another one.';
comment on column vaults.epoch is 'Of such a wallet: epoch of the secret that its key is derived from.';

create table refund_wallets (
    marketplace  text           not null,
    pairing_id   text           not null,
    chain        text           not null,
    wallet       bytea          not null,
    signature    text           not null,
    signed_block bigint         not null,
    proved_at    timestamptz    not null,

    constraint refund_wallets_pkey primary key (marketplace, pairing_id, chain),
    constraint refund_wallets_length check (octet_length(wallet) in (20, 32))
);
comment on table refund_wallets is 'Wallets that have signed to take the refunds of a pairing''s orders, on chains where the pairing''s own signer is no wallet.';
comment on column refund_wallets.marketplace is 'Key of the marketplace in the configuration.';
comment on column refund_wallets.pairing_id is 'The buyer''s pairing at the orchestrator.';
comment on column refund_wallets.chain is 'CAIP-2 chain id.';
comment on column refund_wallets.wallet is 'Raw bytes of the wallet.';
comment on column refund_wallets.signature is 'The wallet''s signature, in the chain''s own text form.';
comment on column refund_wallets.signed_block is 'Final block at which a contract called the signature its own; 0 where it speaks for itself.';
comment on column refund_wallets.proved_at is 'When it was handed in.';

alter table account_cursors add column held numeric(78, 0);
alter table account_cursors add constraint account_cursors_held_positive check (held >= 0);
comment on column account_cursors.held is 'Of a vault''s account: what it held when its history was last found to explain it, in base units; null before.';

-- +goose Down

alter table account_cursors drop column held;
drop table refund_wallets;
drop index vaults_derivation_unique;
alter table vaults drop column epoch;
alter table vaults drop column generation;
alter table vaults drop column derived_for;
