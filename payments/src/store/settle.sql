WITH answers AS (
    SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::text[], $5::bigint[],
            $6::uuid[])
        AS answers (payment_id, status, decline_code, provider_reference, settled_at, lease_token)
), settled AS (
    UPDATE payments
    SET status = answers.status, decline_code = answers.decline_code,
        provider_reference = answers.provider_reference, settled_at = answers.settled_at,
        payment_token = NULL
    FROM answers
    WHERE payments.payment_id = answers.payment_id
        AND payments.lease_token = answers.lease_token
        -- "+ 0" hides the condition from the index of what is not captured. Where all that
        -- was analysed is captured, the planner takes that index for empty, and would walk
        -- it from end to end, and with it everything that is pending, for each payment.
        AND payments.status + 0 = 1
    RETURNING payments.payment_id, payments.lease_token, payments.currency_code, payments.status,
        payments.decline_code, payments.amount
), totals AS (
    INSERT INTO payment_totals AS total
        (shard, currency_code, status, decline_code, payments, amount)
    SELECT $7, currency_code, status, decline_code, count(*), sum(amount)
    FROM settled
    GROUP BY currency_code, status, decline_code
    ORDER BY currency_code, status, decline_code
    ON CONFLICT (shard, currency_code, status, decline_code) DO UPDATE
    SET payments = total.payments + EXCLUDED.payments,
        amount = CASE WHEN total.amount > 9223372036854775807 - EXCLUDED.amount
            THEN 9223372036854775807 ELSE total.amount + EXCLUDED.amount END
)
SELECT payment_id, lease_token FROM settled
