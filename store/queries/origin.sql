-- name: Origin :one
select s.system_identifier::text as system_identifier, c.timeline_id::integer as timeline from pg_control_system() s, pg_control_checkpoint() c;
