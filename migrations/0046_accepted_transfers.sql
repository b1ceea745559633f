-- +goose Up

-- A person may accept a transfer of an order that was closed unpaid, so that it can be given back.
alter table payments drop constraint payments_received_by_parts;
alter table payments add constraint payments_received_by_parts check (received = 0 or received > 0 and (parts or paid_by is not null or state = 'closed'));

-- +goose Down

alter table payments drop constraint payments_received_by_parts;
alter table payments add constraint payments_received_by_parts check (received = 0 or received > 0 and (parts or paid_by is not null));
