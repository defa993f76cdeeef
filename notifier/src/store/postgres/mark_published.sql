UPDATE notifications SET published = TRUE, lease_token = NULL
WHERE notification_id = ANY ($1) AND status <> 0
