-- One database and one role for each service: none can read another's.
-- The passwords are for a database that listens inside of Compose's network only.
CREATE ROLE payments  LOGIN PASSWORD 'payments';
CREATE ROLE history   LOGIN PASSWORD 'history';
CREATE ROLE notifier  LOGIN PASSWORD 'notifier';
CREATE ROLE analytics LOGIN PASSWORD 'analytics';

CREATE DATABASE payments  OWNER payments;
CREATE DATABASE history   OWNER history;
CREATE DATABASE notifier  OWNER notifier;
CREATE DATABASE analytics OWNER analytics;

REVOKE CONNECT ON DATABASE payments, history, notifier, analytics FROM PUBLIC;
