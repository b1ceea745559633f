-- +goose Up

create index vault_events_gone on vault_events (chain, gone_at) where gone_at is not null;

-- +goose Down

drop index vault_events_gone;
