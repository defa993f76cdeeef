DELETE FROM outbox WHERE notification_id = ANY ($1)
