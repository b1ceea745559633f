-- +goose Up

create table token_accounts (
    chain      text        not null,
    vault      bytea       not null,
    signer     bytea       not null,
    state      text        not null,
    nonce      bigint,
    problem    text        not null default '',
    asked_at   timestamptz not null,
    due_at     timestamptz not null,
    updated_at timestamptz not null,

    constraint token_accounts_pkey primary key (chain, vault),
    constraint token_accounts_vault_fkey foreign key (chain, vault) references vaults (chain, address),
    constraint token_accounts_slot_fkey foreign key (chain, signer, nonce) references signer_slots (chain, signer, nonce),
    constraint token_accounts_slot_once unique (chain, signer, nonce),
    constraint token_accounts_state_known check (state in ('asked', 'refused', 'creating', 'failed', 'open', 'closing', 'closed')),
    constraint token_accounts_slot_of_state check (state in ('asked', 'refused') or nonce is not null)
);
comment on table token_accounts is 'Token accounts of orders'' wallets that payers have asked us to make at our cost. One for each wallet.';
comment on column token_accounts.chain is 'CAIP-2 chain id.';
comment on column token_accounts.vault is 'Raw bytes of the wallet.';
comment on column token_accounts.signer is 'Raw bytes of the wallet that pays, and gets the rent back: the operator of the vault.';
comment on column token_accounts.state is 'asked; refused: nothing was spent, it may be asked for again; creating; failed: the transaction was carried out and made none; open: made by us, its rent is ours; closing; closed.';
comment on column token_accounts.nonce is 'Slot of the last transaction that was to make or close it; null before.';
comment on column token_accounts.problem is 'Why it was refused or failed, in words; empty otherwise.';
comment on column token_accounts.asked_at is 'When it was last asked for.';
comment on column token_accounts.due_at is 'When to look again whether it is to be made or closed.';
comment on column token_accounts.updated_at is 'When it last changed.';
-- One at a time: then the balance that is compared with the reserve is all there is.
create unique index token_accounts_one_creating on token_accounts (chain, signer) where state = 'creating';
create index token_accounts_due on token_accounts (chain, signer, due_at) where state in ('asked', 'open');

-- +goose StatementBegin
create function guard_token_account() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or tg_op = 'UPDATE' and (new.chain, new.vault, new.signer) <> (old.chain, old.vault, old.signer) then
        raise exception 'a token account that we made is never forgotten' using errcode = 'integrity_constraint_violation', constraint = 'token_accounts_kept';
    end if;
    if tg_op = 'UPDATE' and new.state <> old.state and (old.state, new.state) not in
        (('asked', 'refused'), ('refused', 'asked'), ('asked', 'creating'), ('creating', 'refused'), ('creating', 'failed'), ('creating', 'open'),
         ('open', 'closing'), ('open', 'closed'), ('closing', 'open'), ('closing', 'closed')) then
        raise exception 'a token account does not go from % to %', old.state, new.state
            using errcode = 'integrity_constraint_violation', constraint = 'token_accounts_forward';
    end if;
    return new;
end
$$;
-- +goose StatementEnd
comment on function guard_token_account is 'Trigger of token_accounts: each is made once at most, and closed only after it was made.';
create trigger token_accounts_guarded before update or delete on token_accounts for each row execute function guard_token_account();
create trigger token_accounts_no_truncate before truncate on token_accounts for each statement execute function forbid_change();

alter table ledger_lines drop constraint ledger_lines_account_known;
alter table ledger_lines add constraint ledger_lines_account_known
    check (account in ('payer', 'held', 'payee', 'refund', 'fee', 'gas', 'rent', 'operator'));
alter table ledger_totals drop constraint ledger_totals_account_known;
alter table ledger_totals add constraint ledger_totals_account_known
    check (account in ('payer', 'held', 'payee', 'refund', 'fee', 'gas', 'rent', 'operator'));
comment on column ledger_lines.account is 'payer: came from outside; held: in our vault; payee, refund: paid on or back; fee, gas: spent; rent: in token accounts that we have made, from which it comes back; operator: our own wallet.';

-- +goose Down

comment on column ledger_lines.account is 'payer: came from outside; held: in our vault; payee, refund: paid on or back; fee, gas: spent; operator: our own wallet.';
alter table ledger_totals drop constraint ledger_totals_account_known;
alter table ledger_totals add constraint ledger_totals_account_known check (account in ('payer', 'held', 'payee', 'refund', 'fee', 'gas', 'operator')) not valid;
alter table ledger_lines drop constraint ledger_lines_account_known;
alter table ledger_lines add constraint ledger_lines_account_known check (account in ('payer', 'held', 'payee', 'refund', 'fee', 'gas', 'operator')) not valid;
drop table token_accounts;
drop function guard_token_account();
