DROP TABLE payment_outcomes;
DROP TABLE orders;
