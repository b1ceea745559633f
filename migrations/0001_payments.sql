-- +goose Up

-- +goose StatementBegin
create function forbid_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'integrity_constraint_violation';
end
$$;
-- +goose StatementEnd
comment on function forbid_change is 'Trigger of append-only tables: refuses update, delete and truncate.';

create table payments (
    id              uuid           not null,
    marketplace     text           not null,
    order_id        text           not null,
    machine_id      text           not null,
    version         bigint         not null,
    state           text           not null,
    back            text           not null default '',
    flags           text[]         not null default '{}',
    reason          text           not null default '',
    detail          text           not null default '',
    rail            text           not null default '',
    chain           text,
    token           bytea,
    token_symbol    text,
    token_decimals  smallint,
    payee           bytea,
    amount          numeric(78, 0),
    rounded         boolean        not null default false,
    proven_payer    bytea,
    named_payer     bytea,
    not_before      timestamptz,
    from_block      bigint,
    deadline        timestamptz,
    grace_seconds   integer,
    named_txid      bytea,
    paid_by         bytea,
    platform        text           not null default '',
    observed        boolean        not null default false,
    pay_token_hash  bytea          not null,
    attempts        integer        not null default 0,
    due_at          timestamptz    not null,
    job_id          bigint,
    posting_since   timestamptz,
    changed_xid     xid8           not null default pg_current_xact_id(),
    opened_xid      xid8,
    created_at      timestamptz    not null,
    updated_at      timestamptz    not null,
    finished_at     timestamptz,
    watch_over      boolean        not null default false,
    open            boolean        not null generated always as
        (payee is not null and paid_by is null and state in ('awaiting_payment', 'verifying', 'confirming', 'expired', 'needs_review')) stored,
    watched         boolean        not null generated always as
        (payee is not null and not watch_over) stored,

    constraint payments_pkey primary key (id),
    constraint payments_one_per_order unique (marketplace, order_id),
    constraint payments_pay_token_unique unique (pay_token_hash),
    constraint payments_version_positive check (version > 0),
    constraint payments_state_known check (state in ('new', 'awaiting_payment', 'verifying', 'confirming', 'verified',
        'held', 'release_pending', 'released', 'frozen', 'refund_pending', 'refunded', 'split', 'expired',
        'needs_review', 'closed')),
    constraint payments_back_where_remembered check
        ((back <> '') = (state in ('verifying', 'confirming', 'frozen'))),
    constraint payments_amount_positive check (amount > 0),
    constraint payments_terms_complete check
        (num_nulls(chain, token, token_symbol, token_decimals, payee, amount, not_before, from_block, deadline,
                   grace_seconds) in (0, 10)),
    constraint payments_payer_known check (payee is null or num_nonnulls(proven_payer, named_payer) > 0),
    constraint payments_payer_is_not_payee check (payee is distinct from proven_payer and payee is distinct from named_payer
        or payee is null),
    constraint payments_terms_before_payment check
        (payee is not null or state in ('new', 'needs_review', 'closed')),
    constraint payments_paid_when_settled check
        (paid_by is not null or state not in ('verified', 'held', 'release_pending', 'released', 'split')),
    constraint payments_finish_time check
        ((finished_at is not null) = (state in ('released', 'refunded', 'split', 'closed')))
) with (fillfactor = 80); -- a claim changes no indexed column and stays in its page
comment on table payments is 'One record for settling one order of one marketplace.';
comment on column payments.id is 'UUIDv7, unique across marketplaces.';
comment on column payments.marketplace is 'Key of the marketplace in the configuration.';
comment on column payments.order_id is 'The marketplace''s own order id.';
comment on column payments.machine_id is 'The machine the order belongs to at the orchestrator.';
comment on column payments.version is 'Counts changes from 1; guards against late and zombie workers.';
comment on column payments.state is 'One of the states of docs/states.md.';
comment on column payments.back is 'Where verifying, confirming and frozen return to; empty in other states.';
comment on column payments.flags is 'Facts independent of the state: underpaid, overpaid, late, duplicate_transfer, canceled, manual.';
comment on column payments.reason is 'Stable code of why a person must decide or why it was closed; empty otherwise.';
comment on column payments.detail is 'Sentence for people beside reason.';
comment on column payments.rail is 'Payment rail in the orchestrator''s own word.';
comment on column payments.chain is 'CAIP-2 chain id, never an alias.';
comment on column payments.token is 'Raw bytes of the token contract or mint; empty for the native coin.';
comment on column payments.token_symbol is 'Symbol of the token in our registry, for people.';
comment on column payments.token_decimals is 'Decimals of the token in our registry.';
comment on column payments.payee is 'Raw bytes of the account that must receive the money.';
comment on column payments.amount is 'Price in base units of the token.';
comment on column payments.rounded is 'The price was finer than the token''s decimals and was rounded half up.';
comment on column payments.proven_payer is 'Raw bytes of the wallet that signed the pairing of the order; null when unknown.';
comment on column payments.named_payer is 'Raw bytes of the payer that the intent names, unproven; null when it names none.';
comment on column payments.not_before is 'Payments in blocks older than this do not count.';
comment on column payments.from_block is 'Head of the chain before the terms were handed out; a payment is in a later block.';
comment on column payments.deadline is 'Until when the payer is told to pay.';
comment on column payments.grace_seconds is 'How long after the deadline a payment still counts.';
comment on column payments.named_txid is 'Raw transaction id that somebody named and that is being looked for.';
comment on column payments.paid_by is 'Raw id of the transaction whose transfer settled the payment.';
comment on column payments.platform is 'The orchestrator''s own payment status when last read.';
comment on column payments.observed is 'The orchestrator refuses our identity: verified by us, platform not told.';
comment on column payments.pay_token_hash is 'SHA-256 of the token in the payer''s link.';
comment on column payments.attempts is 'How often the work that the state asks for was tried in this version.';
comment on column payments.due_at is 'When the sweeper takes up the work that the state asks for; the year 9999 when it asks for none.';
comment on column payments.job_id is 'River job that works on the payment until due_at; its own repeat may go on at once.';
comment on column payments.posting_since is 'A proof was or is being posted with unknown outcome: read back before it is posted again.';
comment on column payments.changed_xid is 'Transaction of the last change, so that the watch index can follow without gaps.';
comment on column payments.opened_xid is 'Transaction that stored the terms, so that a restarted watcher looks again at what it may have missed.';
comment on column payments.created_at is 'When the payment was recorded.';
comment on column payments.updated_at is 'When it last changed.';
comment on column payments.finished_at is 'When it reached a final state.';
comment on column payments.open is 'A transfer could still pay it.';
comment on column payments.watch_over is 'It has been in a final state for so long that the chain is no longer watched for late money.';
comment on column payments.watched is 'The chain is watched for it: open, or settled or closed and further money must be noticed.';

create index payments_open_proven on payments (chain, token, payee, proven_payer, amount) where open;
create index payments_open_named on payments (chain, token, payee, named_payer, amount) where open;
create index payments_open_amount on payments (chain, token, payee, amount) where open;
create index payments_settled_proven on payments (chain, token, payee, proven_payer, amount) where watched and not open;
create index payments_settled_named on payments (chain, token, payee, named_payer, amount) where watched and not open;
create index payments_changed on payments (changed_xid);
create index payments_due on payments (due_at) where due_at < '9999-01-01 00:00:00+00';
create index payments_by_state on payments (marketplace, state, id);
create index payments_named on payments (chain, named_txid) where named_txid is not null;

create table transfers (
    payment_id    uuid           not null,
    chain         text           not null,
    txid          bytea          not null,
    position      text           not null,
    receipt_index integer,
    token         bytea          not null,
    payer         bytea          not null,
    payee         bytea          not null,
    amount        numeric(78, 0) not null,
    block_number  bigint         not null,
    block_hash    bytea          not null,
    block_time    timestamptz    not null,
    code          text           not null,
    detail        text           not null default '',
    evidence      jsonb          not null,
    status        text           not null,
    seen_at       timestamptz    not null,

    constraint transfers_pkey primary key (payment_id, chain, txid, position),
    constraint transfers_payment_fkey foreign key (payment_id) references payments (id),
    constraint transfers_amount_positive check (amount > 0),
    constraint transfers_status_known check (status in ('seen', 'final', 'withdrawn'))
);
comment on table transfers is 'Transfers seen for a payment, with the verdict they have or will have once final.';
comment on column transfers.payment_id is 'Payment that the transfer was seen for.';
comment on column transfers.chain is 'CAIP-2 chain id.';
comment on column transfers.txid is 'Raw transaction id.';
comment on column transfers.token is 'Raw bytes of the token; empty for the native coin.';
comment on column transfers.payer is 'Raw bytes of the account whose balance fell.';
comment on column transfers.payee is 'Raw bytes of the account that received it.';
comment on column transfers.block_number is 'Number of the block that it was last seen in.';
comment on column transfers.block_hash is 'Raw 32 bytes of that block.';
comment on column transfers.block_time is 'Time of that block, from the block itself.';
comment on column transfers.position is 'Canonical position within the transaction: log/<logIndex>, native, ix/<path>.';
comment on column transfers.receipt_index is 'Index among the transaction''s own logs; null where it was not read.';
comment on column transfers.amount is 'Base units that arrived.';
comment on column transfers.code is 'Verdict code of the funnel.';
comment on column transfers.detail is 'Detail of the verdict: under, over, returned.';
comment on column transfers.evidence is 'What was seen and where, for looking again.';
comment on column transfers.status is 'seen: in a block that is not final; final; withdrawn: its block left the chain.';
comment on column transfers.seen_at is 'When we saw it first in this block.';
create index transfers_awaiting_finality on transfers (chain, block_number) where status = 'seen';
create index transfers_by_block on transfers (chain, block_number) where status = 'final';
create index transfers_by_txid on transfers (txid);

create table consumed_transfers (
    chain         text           not null,
    txid          bytea          not null,
    position      text           not null,
    receipt_index integer,
    payment_id    uuid           not null,
    amount        numeric(78, 0) not null,
    consumed_at   timestamptz    not null,

    constraint consumed_transfers_pkey primary key (chain, txid, position),
    constraint consumed_transfers_one_per_log unique (chain, txid, receipt_index),
    constraint consumed_transfers_payment_fkey foreign key (payment_id) references payments (id),
    constraint consumed_transfers_amount_positive check (amount > 0)
);
comment on table consumed_transfers is 'Which payment a transfer settled, for ever: a transfer never pays twice.';
comment on column consumed_transfers.chain is 'CAIP-2 chain id.';
comment on column consumed_transfers.txid is 'Raw transaction id.';
comment on column consumed_transfers.position is 'Canonical position within the transaction, as in transfers.';
comment on column consumed_transfers.payment_id is 'Payment that the transfer settled.';
comment on column consumed_transfers.amount is 'Base units that arrived.';
comment on column consumed_transfers.consumed_at is 'When it was consumed.';
comment on column consumed_transfers.receipt_index is 'Second key: index among the transaction''s own logs where it was read.';
create index consumed_transfers_by_payment on consumed_transfers (payment_id);
create trigger consumed_transfers_append_only before update or delete on consumed_transfers
    for each row execute function forbid_change();
create trigger consumed_transfers_no_truncate before truncate on consumed_transfers
    for each statement execute function forbid_change();

create table audit_batches (
    seq       bigint      not null,
    previous  bytea       not null,
    digest    bytea       not null,
    events    integer     not null,
    at        timestamptz not null,

    constraint audit_batches_pkey primary key (seq),
    constraint audit_batches_digest_unique unique (digest),
    constraint audit_batches_previous_unique unique (previous)
);
comment on table audit_batches is 'Hash chain over the history: digest = SHA-256(previous || the batch''s events).';
comment on column audit_batches.seq is 'Place in the chain, from 1 without gaps.';
comment on column audit_batches.previous is 'Digest of the batch before; empty for the first.';
comment on column audit_batches.digest is 'SHA-256 over the previous digest and the events of the batch.';
comment on column audit_batches.events is 'How many events the batch holds.';
comment on column audit_batches.at is 'When the batch was recorded.';
create trigger audit_batches_append_only before update or delete on audit_batches
    for each row execute function forbid_change();
create trigger audit_batches_no_truncate before truncate on audit_batches
    for each statement execute function forbid_change();

create table payment_events (
    payment_id uuid        not null,
    version    bigint      not null,
    event_id   text        not null,
    kind       text        not null,
    from_state text        not null,
    to_state   text        not null,
    reason     text        not null default '',
    detail     text        not null default '',
    txid       bytea,
    audit_seq  bigint      not null,
    at         timestamptz not null,

    constraint payment_events_pkey primary key (payment_id, version),
    constraint payment_events_once unique (payment_id, event_id),
    constraint payment_events_payment_fkey foreign key (payment_id) references payments (id),
    constraint payment_events_audit_fkey foreign key (audit_seq) references audit_batches (seq)
);
comment on table payment_events is 'History of every payment, append-only: one row per accepted event.';
comment on column payment_events.payment_id is 'Payment that the event happened to.';
comment on column payment_events.kind is 'What has happened: one of the events of docs/states.md.';
comment on column payment_events.from_state is 'State before the event.';
comment on column payment_events.to_state is 'State after it.';
comment on column payment_events.reason is 'Stable code that came with the event; empty for none.';
comment on column payment_events.detail is 'Sentence for people beside reason.';
comment on column payment_events.txid is 'Raw id of the transaction that the event is about; null for none.';
comment on column payment_events.audit_seq is 'Batch of the audit chain that holds the event.';
comment on column payment_events.at is 'When the event was recorded.';
comment on column payment_events.version is 'The payment''s version after the event.';
comment on column payment_events.event_id is 'Names the fact, so that a repeated event is a duplicate.';
create trigger payment_events_append_only before update or delete on payment_events
    for each row execute function forbid_change();
create trigger payment_events_no_truncate before truncate on payment_events
    for each statement execute function forbid_change();

create table inbox (
    marketplace text        not null,
    webhook_id  text        not null,
    body_sha256 bytea       not null,
    type        text        not null,
    machine_id  text        not null,
    order_id    text        not null,
    received_at timestamptz not null,
    attempts    integer     not null default 0,
    due_at      timestamptz not null,
    done_at     timestamptz,
    problem     text        not null default '',

    constraint inbox_pkey primary key (marketplace, webhook_id)
);
comment on table inbox is 'Webhooks that were accepted: hints that an order is to be read from the orchestrator.';
comment on column inbox.marketplace is 'Key of the marketplace in the configuration.';
comment on column inbox.webhook_id is 'The sender''s id of the webhook, the same when it is sent again.';
comment on column inbox.type is 'What the sender says has happened, an open string.';
comment on column inbox.machine_id is 'Machine of the order at the orchestrator.';
comment on column inbox.order_id is 'The marketplace''s own order id.';
comment on column inbox.received_at is 'When the webhook was accepted.';
comment on column inbox.attempts is 'How often the order was read for it.';
comment on column inbox.body_sha256 is 'SHA-256 of the raw body: the same id with another body is refused.';
comment on column inbox.due_at is 'When the order is to be read (again).';
comment on column inbox.done_at is 'When the order was read and went through the door.';
comment on column inbox.problem is 'Why the last reading did not succeed; empty when it did or none was made.';
create index inbox_due on inbox (due_at) where done_at is null;

create table pairings (
    marketplace text        not null,
    machine_id  text        not null,
    pairing_id  text        not null,
    address     text        not null,
    created_at  timestamptz not null,

    constraint pairings_pkey primary key (marketplace, machine_id)
);
comment on table pairings is 'Our own pairing per machine, so that a restart rotates a session instead of pairing again.';
comment on column pairings.marketplace is 'Key of the marketplace in the configuration.';
comment on column pairings.machine_id is 'Machine at the orchestrator.';
comment on column pairings.pairing_id is 'Id of our pairing at the orchestrator.';
comment on column pairings.created_at is 'When the pairing was made.';
comment on column pairings.address is 'Address of the agent key that signed the pairing.';

create table chains (
    chain      text        not null,
    number     bigint      not null,
    hash       bytea       not null,
    epoch      bigint      not null default 0,
    final      bigint      not null default 0,
    watch_xid  xid8        not null default '0',
    updated_at timestamptz not null,

    constraint chains_pkey primary key (chain)
);
comment on table chains is 'How far each chain has been scanned.';
comment on column chains.chain is 'CAIP-2 chain id.';
comment on column chains.updated_at is 'When the cursor last moved.';
comment on column chains.number is 'Number of the last scanned block.';
comment on column chains.hash is 'Hash of the last scanned block.';
comment on column chains.epoch is 'Raised by each watcher that takes the chain over; writes of an older epoch are refused.';
comment on column chains.final is 'Highest block that was final when last looked.';
comment on column chains.watch_xid is 'Payments opened by transactions before this one were looked for in every block up to the cursor.';

create table chain_blocks (
    chain  text        not null,
    number bigint      not null,
    hash   bytea       not null,
    time   timestamptz not null,

    constraint chain_blocks_pkey primary key (chain, number)
);
comment on table chain_blocks is 'Scanned blocks that are not final yet, so that a reorganisation is traced to its fork.';
comment on column chain_blocks.chain is 'CAIP-2 chain id.';
comment on column chain_blocks.number is 'Number of the block.';
comment on column chain_blocks.hash is 'Raw 32 bytes of the block.';
comment on column chain_blocks.time is 'Time of the block, from the block itself.';

create table api_keys (
    id          uuid        not null,
    marketplace text,
    name        text        not null,
    scope       text        not null,
    hash        bytea       not null,
    created_at  timestamptz not null,
    revoked_at  timestamptz,

    constraint api_keys_pkey primary key (id),
    constraint api_keys_hash_unique unique (hash),
    constraint api_keys_scope_known check (scope in ('read', 'operate', 'admin')),
    constraint api_keys_all_needs_admin check (marketplace is not null or scope = 'admin')
);
comment on table api_keys is 'Keys of the API. A key without marketplace reaches all of them.';
comment on column api_keys.id is 'UUIDv7.';
comment on column api_keys.marketplace is 'Marketplace that the key reaches; null for all.';
comment on column api_keys.name is 'What the key is for, for people.';
comment on column api_keys.scope is 'read, operate or admin; each includes the one before.';
comment on column api_keys.created_at is 'When the key was made.';
comment on column api_keys.revoked_at is 'When it was revoked; null while it counts.';
comment on column api_keys.hash is 'SHA-256 of the key; the key itself is shown once and never stored.';

create table idempotency_keys (
    api_key_id  text        not null,
    key         text        not null,
    request     bytea       not null,
    status      integer     not null,
    answer      bytea       not null,
    created_at  timestamptz not null,

    constraint idempotency_keys_pkey primary key (api_key_id, key)
);
comment on table idempotency_keys is 'Answers of writes by their Idempotency-Key, so that a repeated write is answered alike.';
comment on column idempotency_keys.api_key_id is 'API key or pay token that the write came with.';
comment on column idempotency_keys.key is 'The Idempotency-Key of the write.';
comment on column idempotency_keys.status is 'HTTP status of the answer; 0 while the write has not been answered.';
comment on column idempotency_keys.answer is 'Body of the answer.';
comment on column idempotency_keys.created_at is 'When the key was first used.';
comment on column idempotency_keys.request is 'SHA-256 of method, path and body: another request under the same key is refused.';
create index idempotency_keys_by_age on idempotency_keys (created_at);

-- +goose Down

drop table idempotency_keys;
drop table api_keys;
drop table chain_blocks;
drop table chains;
drop table pairings;
drop table inbox;
drop table payment_events;
drop table audit_batches;
drop table consumed_transfers;
drop table transfers;
drop table payments;
drop function forbid_change();
