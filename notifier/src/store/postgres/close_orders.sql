UPDATE orders SET mails = done.mails, placed = NULL
FROM unnest($1::uuid[], $2::integer[]) AS done (order_id, mails)
WHERE orders.order_id = done.order_id
