-- Most records are closed ones.
CREATE INDEX disk_clients_open ON disk_clients (instance_id) WHERE closed_at IS NULL;
