-- +goose Up

create table persons (
    id          uuid        not null,
    issuer      text        not null,
    subject     text        not null,
    name        text        not null,
    marketplace text,
    scope       text        not null,
    scope_since timestamptz not null,
    created_at  timestamptz not null,
    revoked_at  timestamptz,

    constraint persons_pkey primary key (id),
    constraint persons_subject_unique unique (issuer, subject),
    constraint persons_scope_known check (scope in ('read', 'operate', 'admin')),
    constraint persons_all_needs_admin check (marketplace is not null or scope = 'admin')
);
comment on table persons is 'People who may use the API. Who has two keys is still one person.';
comment on column persons.id is 'UUIDv7.';
comment on column persons.issuer is 'OpenID Connect issuer that vouches for the person.';
comment on column persons.subject is 'The issuer''s own name of the person (claim sub).';
comment on column persons.name is 'Name for people.';
comment on column persons.marketplace is 'Marketplace that the person reaches; null for all.';
comment on column persons.scope is 'read, operate or admin; each includes the one before.';
comment on column persons.scope_since is 'Since when the person has the scope.';
comment on column persons.created_at is 'When the person was added.';
comment on column persons.revoked_at is 'When the person was revoked, with all keys; null while it counts.';

alter table api_keys add column person_id uuid;
alter table api_keys add constraint api_keys_person_fkey foreign key (person_id) references persons (id);
comment on column api_keys.person_id is 'Person that the key belongs to; null for a machine''s.';

-- +goose Down

alter table api_keys drop column person_id;
drop table persons;
