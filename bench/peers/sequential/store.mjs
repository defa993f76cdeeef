// What the checkout keeps in PostgreSQL. Money is in minor units.
//
// Statements have names, so that each connection prepares them once.

/** Safe to run at every start. */
export const SCHEMA = `
CREATE TABLE IF NOT EXISTS payments (
  payment_id    UUID        PRIMARY KEY,
  order_id      UUID        NOT NULL UNIQUE,
  user_id       BIGINT      NOT NULL,
  amount        BIGINT      NOT NULL,
  currency_code TEXT        NOT NULL,
  paid_at       TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS orders (
  order_id      UUID        PRIMARY KEY,
  user_id       BIGINT      NOT NULL,
  total         BIGINT      NOT NULL,
  currency_code TEXT        NOT NULL,
  email         TEXT        NOT NULL,
  placed_at     TIMESTAMPTZ NOT NULL
);
CREATE INDEX IF NOT EXISTS orders_by_user ON orders (user_id, placed_at);
CREATE TABLE IF NOT EXISTS order_lines (
  order_id   UUID     NOT NULL REFERENCES orders,
  line       SMALLINT NOT NULL,
  product_id BIGINT   NOT NULL,
  name       TEXT     NOT NULL,
  unit_price BIGINT   NOT NULL,
  quantity   INTEGER  NOT NULL,
  PRIMARY KEY (order_id, line)
);
CREATE TABLE IF NOT EXISTS product_counters (
  product_id    BIGINT NOT NULL,
  currency_code TEXT   NOT NULL,
  orders        BIGINT NOT NULL,
  units         BIGINT NOT NULL,
  revenue       BIGINT NOT NULL,
  PRIMARY KEY (product_id, currency_code)
);
`;

/** Statements by name. */
export const STATEMENTS = {
  insertPayment: `
    INSERT INTO payments (payment_id, order_id, user_id, amount, currency_code)
    VALUES ($1, $2, $3, $4, $5)`,
  insertOrder: `
    INSERT INTO orders (order_id, user_id, total, currency_code, email, placed_at)
    VALUES ($1, $2, $3, $4, $5, $6)`,
  insertLines: `
    INSERT INTO order_lines (order_id, line, product_id, name, unit_price, quantity)
    SELECT $1::uuid, l.line, l.product_id, l.name, l.unit_price, l.quantity
    FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::integer[])
      WITH ORDINALITY AS l (product_id, name, unit_price, quantity, line)`,
  // By product id: two checkouts that count the same products lock them in one order. A
  // product that an order names twice is one row here, as ON CONFLICT demands.
  countProducts: `
    INSERT INTO product_counters AS c (product_id, currency_code, orders, units, revenue)
    SELECT l.product_id, $1::text, 1, sum(l.quantity), sum(l.quantity * l.unit_price)
    FROM unnest($2::bigint[], $3::bigint[], $4::integer[]) AS l (product_id, unit_price, quantity)
    GROUP BY l.product_id
    ORDER BY l.product_id
    ON CONFLICT (product_id, currency_code) DO UPDATE SET
      orders = c.orders + excluded.orders,
      units = c.units + excluded.units,
      revenue = c.revenue + excluded.revenue`,
};

const statement = (name, values) => ({ name, text: STATEMENTS[name], values });
const column = (order, field) => order.lines.map((line) => line[field]);

/** The payment, taken. */
export async function savePayment(pool, paymentId, order) {
  const values = [paymentId, order.orderId, order.userId, order.total, order.currencyCode];
  await pool.query(statement('insertPayment', values));
}

/** The order with its lines, in one transaction. */
export async function saveOrder(pool, order) {
  const { orderId, userId, total, currencyCode, email, placedAt } = order;
  const client = await pool.connect();
  let failure;
  try {
    await client.query('BEGIN');
    await client.query(statement('insertOrder', [orderId, userId, total, currencyCode, email, placedAt]));
    const columns = ['productId', 'name', 'unitPrice', 'quantity'].map((field) => column(order, field));
    await client.query(statement('insertLines', [orderId, ...columns]));
    await client.query('COMMIT');
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    // With a failure the pool closes the connection, which also rolls back.
    client.release(failure);
  }
}

/** Adds the order to its products' counters. */
export async function countProducts(pool, order) {
  const columns = ['productId', 'unitPrice', 'quantity'].map((field) => column(order, field));
  await pool.query(statement('countProducts', [order.currencyCode, ...columns]));
}
