-- +goose Up

-- Each transfer waits for the finality rule of its payment's price, so the rule stands in its row.
alter table transfers add column finality text not null default '';
comment on column transfers.finality is 'Finality rule that the transfer waits for or became final under: finalized, safe, depth N.';
update transfers set finality = coalesce(evidence ->> 'finality', '');
drop index transfers_awaiting_finality;
create index transfers_awaiting_finality on transfers (chain, finality, block_number) where status = 'seen';

-- +goose Down

drop index transfers_awaiting_finality;
create index transfers_awaiting_finality on transfers (chain, block_number) where status = 'seen';
alter table transfers drop column finality;
