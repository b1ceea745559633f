-- +goose Up

create table order_listings (
    marketplace     text        not null,
    machines        text[]      not null default '{}',
    machines_cursor text,
    orders_cursor   text,
    started_at      timestamptz,
    due_at          timestamptz not null,

    constraint order_listings_pkey primary key (marketplace)
);
comment on table order_listings is 'How far the regular listing of each marketplace''s orders has come, so that a restart goes on with it.';
comment on column order_listings.marketplace is 'Key of the marketplace in the configuration.';
comment on column order_listings.machines is 'Machines whose orders are still to be listed before the next page of machines; the first is under way.';
comment on column order_listings.machines_cursor is 'The orchestrator''s cursor of the next page of machines; null when there is none.';
comment on column order_listings.orders_cursor is 'The orchestrator''s cursor of the next page of the first machine''s orders; null for the first page.';
comment on column order_listings.started_at is 'When this round over all machines began; null between two rounds.';
comment on column order_listings.due_at is 'When the next page is asked for. A process that asks moves it on first, so that no other asks as well.';

-- Work that waits until its orchestrator is back costs nothing meanwhile, and goes on oldest first.
create index payments_parked on payments (marketplace, id) where due_at = '9998-01-01 00:00:00+00';
create index inbox_parked on inbox (marketplace, received_at) where done_at is null and due_at = '9998-01-01 00:00:00+00';

-- +goose Down

drop index inbox_parked;
drop index payments_parked;
drop table order_listings;
