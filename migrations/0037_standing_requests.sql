-- +goose Up

create function stands(payment uuid, seen bigint) returns boolean language sql stable as $$
    select not exists (
        select from payment_events e
        where e.payment_id = payment and e.version > seen
          and not (e.from_state = 'frozen' and e.to_state = 'frozen' and e.kind in ('vault_frozen', 'dispute_told', 'dispute_reminded')))
$$;
comment on function stands is 'Whether all that people decide on is as it was at that version of the payment. That a dispute was told, that somebody was reminded of it, and that its freeze is on the chain are consequences of what they have seen.';
comment on column approvals.version is 'Version of the payment that was decided about: once more has changed than stands() allows the request is void.';

-- +goose Down
comment on column approvals.version is 'Version of the payment that was decided about: with another one the request is void.';
drop function stands(uuid, bigint);
