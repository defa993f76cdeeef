// The checkout that Ordermesh replaces: every step in the request, one after the other.

import nodemailer from 'nodemailer';
import pg from 'pg';

import { application } from '../shared/app.mjs';
import { orExit, reason, serve, settings } from '../shared/process.mjs';
import { checkout } from './checkout.mjs';
import { SCHEMA } from './store.mjs';

const { port, databaseUrl, smtpUrl, smtpConnections, paymentMs } = settings(({ text, integer }) => ({
  port: integer('PORT', 3020, 1, 65_535),
  databaseUrl: text('DATABASE_URL', 'postgres://postgres@127.0.0.1:5432/sequential'),
  smtpUrl: text('SMTP_URL', 'smtp://127.0.0.1:1025'),
  smtpConnections: integer('SMTP_CONNECTIONS', 10, 1, 1_000),
  // As long as the original demo's payment.
  paymentMs: integer('PAYMENT_MS', 3_000, 0, 600_000),
}));

const pool = new pg.Pool({
  connectionString: databaseUrl,
  max: 20,
  // For a new connection, and for a free one: after that the caller is told.
  connectionTimeoutMillis: 10_000,
});
// A connection that breaks while nobody uses it; the pool opens another.
pool.on('error', (error) => console.error(`database: ${reason(error)}`));
// One that breaks in use fails its statement, which tells of it; unheard, its own event
// would end the process.
pool.on('connect', (client) => client.on('error', () => {}));
const mailer = nodemailer.createTransport({
  url: smtpUrl,
  pool: true,
  maxConnections: smtpConnections,
  // Nodemailer reconnects after 100 mails; no mail server of today asks for that.
  maxMessages: Infinity,
  connectionTimeout: 10_000,
});

await orExit('cannot prepare the database', pool.query(SCHEMA));
await orExit('cannot reach the mail server', mailer.verify());
await serve(application(checkout({ pool, mailer, paymentMs })), port, async () => {
  mailer.close();
  await pool.end();
});
console.log('ready');
