-- +goose Up

create table payer_proofs (
    chain      text        not null,
    txid       bytea       not null,
    signer     bytea       not null,
    payment_id uuid        not null,
    signature  text        not null,
    block      bigint,
    proved_at  timestamptz not null,

    constraint payer_proofs_pkey primary key (chain, txid, signer, payment_id),
    constraint payer_proofs_payment_fkey foreign key (payment_id) references payments (id)
);
comment on table payer_proofs is 'Wallets that signed that their transaction pays a payment. Counts for transfers out of the signer alone.';
comment on column payer_proofs.chain is 'CAIP-2 chain id.';
comment on column payer_proofs.txid is 'Raw id of the transaction that was signed for.';
comment on column payer_proofs.signer is 'Raw bytes of the wallet that signed.';
comment on column payer_proofs.payment_id is 'Payment that was signed for.';
comment on column payer_proofs.signature is 'The signature in the chain''s own text form.';
comment on column payer_proofs.block is 'Final block at which the signer, a contract, called the signature its own; null where it speaks for itself.';
comment on column payer_proofs.proved_at is 'When it was taken over.';
create index payer_proofs_by_payment on payer_proofs (payment_id);
create trigger payer_proofs_append_only before update or delete on payer_proofs
    for each row execute function forbid_change();
create trigger payer_proofs_no_truncate before truncate on payer_proofs
    for each statement execute function forbid_change();

-- +goose Down

drop table payer_proofs;
