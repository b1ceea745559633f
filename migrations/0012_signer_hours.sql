-- +goose Up

-- What a signer has moved within the last hour is added up before each signature.
create index signer_slots_by_time on signer_slots (chain, signer, created_at);

-- +goose Down

drop index signer_slots_by_time;
