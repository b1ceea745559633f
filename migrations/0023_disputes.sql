-- +goose Up

create table disputes (
    payment_id      uuid           not null,
    number          integer        not null,
    opener          text           not null,
    reason          text           not null,
    party           text           not null,
    default_outcome text           not null,
    opened_at       timestamptz    not null,
    respond_by      timestamptz    not null,
    decide_by       timestamptz    not null,
    answered_at     timestamptz,
    reminded_at     timestamptz,
    to_payee        numeric(78, 0),
    to_payer        numeric(78, 0),
    decided_at      timestamptz,
    effective_at    timestamptz,
    appealed_at     timestamptz,
    told            boolean        not null,
    closed_at       timestamptz,
    outcome         text,

    constraint disputes_pkey primary key (payment_id, number),
    constraint disputes_payment_fkey foreign key (payment_id) references payments (id),
    constraint disputes_number_positive check (number > 0),
    constraint disputes_opener_known check (opener in ('webhook', 'orchestrator', 'person', 'arbiter')),
    constraint disputes_party_known check (party in ('payer', 'payee', 'operator')),
    constraint disputes_default_known check (default_outcome in ('none', 'release', 'refund')),
    constraint disputes_decision_whole check (num_nulls(to_payee, to_payer, decided_at, effective_at) in (0, 4)),
    constraint disputes_decision_divides check (to_payee >= 0 and to_payer >= 0 and to_payee + to_payer > 0),
    constraint disputes_effective_after_decision check (effective_at >= decided_at),
    constraint disputes_outcome_known check
        (outcome in ('dropped', 'released', 'refunded', 'split', 'closed', 'review', 'too_late')),
    constraint disputes_outcome_when_closed check ((closed_at is null) = (outcome is null))
);
comment on table disputes is 'What is contested about payments while they are frozen, and how that ended.';
comment on column disputes.payment_id is 'Payment that is disputed.';
comment on column disputes.number is 'Counts the payment''s disputes from 1 on.';
comment on column disputes.opener is 'Where it comes from: the marketplace''s webhook, the order at the orchestrator, a person, or a freeze on the chain.';
comment on column disputes.reason is 'What somebody complains about, in one word; unstated where the orchestrator does not say.';
comment on column disputes.party is 'Who complains.';
comment on column disputes.default_outcome is 'What becomes of the money when nobody decides in time, as configured when it was opened.';
comment on column disputes.opened_at is 'When it was opened.';
comment on column disputes.respond_by is 'Until when the other party is to answer.';
comment on column disputes.decide_by is 'Until when it is to be decided; begins anew with an appeal.';
comment on column disputes.answered_at is 'When the other party first said something.';
comment on column disputes.reminded_at is 'Reminders that were due by then were given.';
comment on column disputes.to_payee is 'Base units that the decision gives the payee; null before it.';
comment on column disputes.to_payer is 'Base units that the decision gives the payer.';
comment on column disputes.decided_at is 'When it was decided.';
comment on column disputes.effective_at is 'When the decision moves the money, unless somebody appeals before.';
comment on column disputes.appealed_at is 'When a party appealed; there is one appeal.';
comment on column disputes.told is 'The orchestrator knows of it, or will not hear of it.';
comment on column disputes.closed_at is 'When it ended.';
comment on column disputes.outcome is 'How it ended.';
create unique index disputes_one_open on disputes (payment_id) where closed_at is null;

-- +goose StatementBegin
create function keep_dispute() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or old.closed_at is not null
        or (new.opener, new.reason, new.party, new.default_outcome, new.opened_at, new.respond_by)
            is distinct from (old.opener, old.reason, old.party, old.default_outcome, old.opened_at, old.respond_by)
        or old.appealed_at is not null and new.appealed_at is distinct from old.appealed_at then
        raise exception 'what a dispute is about is never changed, nor one that has ended'
            using errcode = 'integrity_constraint_violation', constraint = 'disputes_kept';
    end if;
    return new;
end
$$;
-- +goose StatementEnd
comment on function keep_dispute is 'Trigger of disputes: what was opened and what has ended stays, and there is one appeal.';
create trigger disputes_kept before update or delete on disputes for each row execute function keep_dispute();
create trigger disputes_no_truncate before truncate on disputes for each statement execute function forbid_change();

create table dispute_statements (
    payment_id uuid   not null,
    version    bigint not null,
    number     integer not null,
    party      text   not null,
    sha256     bytea,
    size       bigint,
    media_type text,
    url        text,
    content    bytea,

    constraint dispute_statements_pkey primary key (payment_id, number, version),
    constraint dispute_statements_event_fkey foreign key (payment_id, version) references payment_events (payment_id, version),
    constraint dispute_statements_dispute_fkey foreign key (payment_id, number) references disputes (payment_id, number),
    constraint dispute_statements_party_known check (party in ('payer', 'payee', 'operator')),
    constraint dispute_statements_evidence_whole check (num_nulls(sha256, size, media_type) in (0, 3)),
    constraint dispute_statements_bytes_or_reference check
        (case when sha256 is null then num_nonnulls(url, content) = 0 else num_nonnulls(url, content) = 1 end),
    constraint dispute_statements_content_fits check (content is null or sha256 = sha256(content) and size = octet_length(content)),
    constraint dispute_statements_size_positive check (size > 0)
);
comment on table dispute_statements is 'What the parties of disputes have said and handed in; the words and who wrote them down stand in the event.';
comment on column dispute_statements.payment_id is 'Payment that is disputed.';
comment on column dispute_statements.version is 'The payment''s version after the event.';
comment on column dispute_statements.number is 'Which of the payment''s disputes.';
comment on column dispute_statements.party is 'Who says it.';
comment on column dispute_statements.sha256 is 'SHA-256 of the evidence; null for words alone.';
comment on column dispute_statements.size is 'Its bytes.';
comment on column dispute_statements.media_type is 'Its media type.';
comment on column dispute_statements.url is 'Where the bytes are, when they are not here.';
comment on column dispute_statements.content is 'The bytes.';
create trigger dispute_statements_append_only before update or delete on dispute_statements for each row execute function forbid_change();
create trigger dispute_statements_no_truncate before truncate on dispute_statements for each statement execute function forbid_change();

-- What is frozen already gets as long as something that is frozen now.
insert into disputes (payment_id, number, opener, reason, party, default_outcome, opened_at, respond_by, decide_by, told)
select id, 1, 'orchestrator', 'unstated', 'payer', 'none', state_since, now() + interval '72 hours', now() + interval '240 hours', true
from payments where state = 'frozen';
update payments set due_at = now() where state = 'frozen';

alter table approvals add column to_payee numeric(78, 0);
alter table approvals add column to_payer numeric(78, 0);
alter table approvals add constraint approvals_award_whole check (num_nulls(to_payee, to_payer) <> 1);
comment on column approvals.to_payee is 'Base units that the payee is to get; null where the action divides nothing.';
comment on column approvals.to_payer is 'Base units that the payer is to get.';

-- +goose Down

alter table approvals drop column to_payer;
alter table approvals drop column to_payee;
drop table dispute_statements;
drop table disputes;
drop function keep_dispute;
