DROP FUNCTION remove_joined, take_placed, capped, capped_sum;
DROP TABLE user_actions, user_orders, product_pairs, product_revenue, products, order_rates,
    totals, funnel, funnel_users, pending_orders, inbox;
