-- name: StartOrderListing :exec
insert into order_listings (marketplace, due_at) values (sqlc.arg(marketplace), sqlc.arg(now))
on conflict on constraint order_listings_pkey do nothing;

-- name: TakeOrderListing :one
update order_listings set due_at = sqlc.arg(lease_until)
where marketplace = sqlc.arg(marketplace) and due_at <= sqlc.arg(now)
returning machines, machines_cursor, orders_cursor, started_at;

-- name: SaveOrderListing :execrows
update order_listings
set machines = sqlc.arg(machines), machines_cursor = sqlc.arg(machines_cursor), orders_cursor = sqlc.arg(orders_cursor),
    started_at = sqlc.arg(started_at), due_at = sqlc.arg(due_at)
where marketplace = sqlc.arg(marketplace) and due_at = sqlc.arg(lease_until);

-- name: ReleaseOrderListing :exec
update order_listings set due_at = sqlc.arg(now)
where marketplace = sqlc.arg(marketplace) and due_at = sqlc.arg(lease_until);
