-- +goose Up

alter table payment_events add column actor uuid;
alter table payment_events add column actor_name text;
alter table payment_events add column origin text;
alter table payment_events add column weight numeric(78, 0);
alter table payment_events add constraint payment_events_actor_whole check (num_nulls(actor, actor_name, origin) in (0, 3));
alter table payment_events add constraint payment_events_weight_of_actor check (weight is null or actor is not null);
comment on column payment_events.actor is 'Person, or machine''s key, who decided it; null for what no one decided.';
comment on column payment_events.actor_name is 'The actor''s name at that time.';
comment on column payment_events.origin is 'Network address that the decision came from.';
comment on column payment_events.weight is 'Base units that the decision was about; null where it was not about money.';
create index payment_events_weighed on payment_events (actor, at) where weight is not null;

create table approvals (
    id              uuid           not null,
    payment_id      uuid           not null,
    version         bigint         not null,
    action          text           not null,
    txid            bytea,
    position        text           not null default '',
    reason          text           not null,
    chain           text           not null,
    token           bytea          not null,
    amount          numeric(78, 0) not null,
    receiver        bytea          not null,
    part            smallint       not null,
    hash            bytea          not null,
    event_id        text           not null,
    requester       uuid           not null,
    requester_name  text           not null,
    requester_key   uuid,
    origin          text           not null,
    needed          smallint       not null,
    state           text           not null,
    created_at      timestamptz    not null,
    expires_at      timestamptz    not null,
    decided_at      timestamptz,

    constraint approvals_pkey primary key (id, requester), -- votes refer to both
    constraint approvals_once unique (payment_id, event_id),
    constraint approvals_payment_fkey foreign key (payment_id) references payments (id),
    constraint approvals_needed_known check (needed in (1, 2)),
    constraint approvals_state_known check (state in ('pending', 'executed', 'rejected')),
    constraint approvals_decided check ((decided_at is not null) = (state <> 'pending'))
);
comment on table approvals is 'Actions above a threshold, which wait for other people.';
comment on column approvals.id is 'UUIDv7.';
comment on column approvals.payment_id is 'Payment that is decided about.';
comment on column approvals.version is 'Version of the payment that was decided about: with another one the request is void.';
comment on column approvals.action is 'What is to be done.';
comment on column approvals.txid is 'Raw transaction id that the action names, if any.';
comment on column approvals.position is 'Position of the transfer that the action names, if any.';
comment on column approvals.reason is 'Why, in the requester''s words.';
comment on column approvals.chain is 'CAIP-2 chain id.';
comment on column approvals.token is 'Raw bytes of the token; empty for the native coin.';
comment on column approvals.amount is 'Base units that are decided about.';
comment on column approvals.receiver is 'Raw bytes of the account that gets or keeps the money: the payee''s or vault''s, the payer''s for a refund.';
comment on column approvals.part is 'Next movement of the payment; 0 where none is ours to make.';
comment on column approvals.hash is 'SHA-256 over all that is approved: who approves names it.';
comment on column approvals.event_id is 'Event that the action becomes.';
comment on column approvals.requester is 'Person, or machine''s key, who asks.';
comment on column approvals.requester_name is 'The requester''s name at that time.';
comment on column approvals.requester_key is 'Key that the request came with; null for a person who had signed in.';
comment on column approvals.origin is 'Network address that the request came from.';
comment on column approvals.needed is 'How many other people must approve: two where a machine asks.';
comment on column approvals.state is 'pending, executed or rejected. A pending one is void once it has expired or the payment has changed.';
comment on column approvals.created_at is 'When it was asked for.';
comment on column approvals.expires_at is 'When it is void.';
comment on column approvals.decided_at is 'When it was executed or rejected.';
create index approvals_pending on approvals (id) where state = 'pending';
create index approvals_waiting on approvals (payment_id) where state = 'pending';

create table approval_votes (
    approval_id uuid        not null,
    requester   uuid        not null,
    approver    uuid        not null,
    vote        text        not null,
    hash        bytea       not null,
    reason      text        not null,
    origin      text        not null,
    at          timestamptz not null,

    constraint approval_votes_pkey primary key (approval_id, approver),
    constraint approval_votes_request_fkey foreign key (approval_id, requester) references approvals (id, requester),
    constraint approval_votes_person_fkey foreign key (approver) references persons (id),
    constraint approval_votes_not_own check (approver <> requester),
    constraint approval_votes_vote_known check (vote in ('approve', 'reject'))
);
comment on table approval_votes is 'Who approved or rejected what, append-only.';
comment on column approval_votes.approval_id is 'The request.';
comment on column approval_votes.requester is 'Who asked for it.';
comment on column approval_votes.approver is 'The person who decided.';
comment on column approval_votes.vote is 'approve or reject.';
comment on column approval_votes.hash is 'Hash of what the person saw.';
comment on column approval_votes.reason is 'Why, in the person''s words; may be empty.';
comment on column approval_votes.origin is 'Network address that the vote came from.';
comment on column approval_votes.at is 'When.';
create trigger approval_votes_append_only before update or delete on approval_votes for each row execute function forbid_change();
create trigger approval_votes_no_truncate before truncate on approval_votes for each statement execute function forbid_change();

-- +goose Down

drop table approval_votes;
drop table approvals;
drop index payment_events_weighed;
alter table payment_events drop column weight;
alter table payment_events drop column origin;
alter table payment_events drop column actor_name;
alter table payment_events drop column actor;
