-- +goose Up

create table sessions (
    token      text        not null,
    data       bytea       not null,
    expires_at timestamptz not null,

    constraint sessions_pkey primary key (token)
);
comment on table sessions is 'Browsers that are signed in, or signing in, to the dashboard. Rows past their time count for nothing.';
comment on column sessions.token is 'SHA-256 of the cookie''s value in base64url: who reads the table cannot be anybody.';
comment on column sessions.data is 'Who has signed in, as the dashboard encodes it. What he may do is read anew with each request.';
comment on column sessions.expires_at is 'Until when the browser is signed in.';
create index sessions_expiry on sessions (expires_at);

-- +goose Down

drop table sessions;
