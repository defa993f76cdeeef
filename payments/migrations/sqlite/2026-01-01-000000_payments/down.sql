DROP TABLE payment_totals;
DROP TABLE payments;
