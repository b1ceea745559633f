-- name: CountDue :one
select count(*) from payments where due_at <= sqlc.arg(now)::timestamptz and due_at < '9998-01-01 00:00:00+00';

-- name: CountParked :many
select marketplace, count(*) from payments where due_at = '9998-01-01 00:00:00+00' group by marketplace;
