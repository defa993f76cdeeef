// One order, step by step. Whatever fails leaves the steps before it done: that is what
// such a checkout does, and the caller is told which step it was.

import { setTimeout as sleep } from 'node:timers/promises';

import { Problem } from '../shared/app.mjs';
import { uuidv7 } from '../shared/id.mjs';
import { reason } from '../shared/process.mjs';
import { mailOf } from './mail.mjs';
import * as store from './store.mjs';

/** Places orders; every step waits for the one before. */
export function checkout({ pool, mailer, paymentMs }) {
  return async (valid, res) => {
    const { paymentToken: _secret, ...content } = valid;
    const order = { orderId: uuidv7(), ...content, placedAt: new Date().toISOString() };

    const paymentId = uuidv7();
    await step(order, 'payment', async () => {
      // The provider; it takes every payment token.
      await sleep(paymentMs);
      await store.savePayment(pool, paymentId, order);
    });
    await step(order, 'history', () => store.saveOrder(pool, order));
    await step(order, 'mails', async () => {
      for (const line of order.lines) await mailer.sendMail(mailOf(order, line));
    });
    await step(order, 'analytics', () => store.countProducts(pool, order));

    const { email: _private, ...shown } = order;
    res.status(201).location(`/orders/${order.orderId}`).json({ ...shown, status: 'ORDER_STATUS_PAID', paymentId });
  };
}

async function step(order, name, work) {
  try {
    await work();
  } catch (error) {
    console.error(`order ${order.orderId}, ${name}: ${reason(error)}`);
    const detail = `${name} failed; what comes before it is done, what comes after is not`;
    throw new Problem(503, 'DEPENDENCY_UNAVAILABLE', 'A service does not answer', detail, { orderId: order.orderId });
  }
}
