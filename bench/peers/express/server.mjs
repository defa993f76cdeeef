// The gateway's job in Express and KafkaJS: an order is validated, put on Kafka as one
// record, and answered once every in-sync replica holds it.

import cluster from 'node:cluster';

import { Kafka, logLevel } from 'kafkajs';

import { application, Problem } from '../shared/app.mjs';
import { uuidv7 } from '../shared/id.mjs';
import { onSignal, orExit, reason, serve, settings } from '../shared/process.mjs';

const { port, brokers, topic, processes } = settings(({ text, integer }) => ({
  port: integer('PORT', 3010, 1, 65_535),
  brokers: text('BROKERS', '127.0.0.1:9092').split(','),
  topic: text('TOPIC', 'orders.json'),
  processes: integer('PROCESSES', 1, 1, 64),
}));

if (processes > 1 && cluster.isPrimary) {
  supervise();
} else {
  await work();
}

async function work() {
  const producer = await connect();
  await serve(application(placing(producer)), port, () => producer.disconnect());
  if (cluster.isWorker) process.send('ready');
  else console.log('ready');
}

async function connect() {
  const kafka = new Kafka({
    clientId: 'express-peer',
    brokers,
    logLevel: logLevel.ERROR,
    // KafkaJS's 1 s is short for a broker that is busy.
    connectionTimeout: 3_000,
  });
  // Without the topic there is nothing to measure: one that the broker made up would have
  // its default partitions.
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await orExit(`cannot reach Kafka at ${brokers}`, producer.connect());
  // Sending nothing loads the topic's metadata, which the first order would wait for.
  await orExit(`cannot use topic ${topic}`, producer.send({ topic, messages: [] }));
  return producer;
}

function placing(producer) {
  return async (order, res) => {
    const orderId = uuidv7();
    const placedAt = new Date().toISOString();
    const value = JSON.stringify({ orderId, ...order, placedAt });
    try {
      await producer.send({ topic, acks: -1, messages: [{ key: orderId, value }] });
    } catch (error) {
      console.error(`order ${orderId}: ${reason(error)}`);
      // KafkaJS does not tell a record that was never sent from one without an answer.
      const title = 'It is not known whether the order was accepted';
      const detail = 'Kafka did not acknowledge the order, which may be accepted or not';
      throw new Problem(503, 'OUTCOME_UNKNOWN', title, detail, { orderId });
    }
    res.status(202).location(`/orders/${orderId}`).json({
      orderId,
      status: 'ORDER_STATUS_ACCEPTED',
      total: order.total,
      currencyCode: order.currencyCode,
      acceptedAt: placedAt,
    });
  };
}

/** Runs the workers, which share the port; says `ready` once, when all of them are. */
function supervise() {
  let ready = 0;
  let ending = false;
  let code = 0;
  const end = () => {
    ending = true;
    for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGTERM');
  };
  for (let index = 0; index < processes; index += 1) {
    cluster.fork().on('message', (message) => {
      if (message === 'ready' && ++ready === processes) console.log('ready');
    });
  }
  cluster.on('exit', (_worker, status, signal) => {
    // One that ends unasked would leave half a peer to be measured.
    if (status !== 0 || !ending) code = status || 1;
    if (!ending) {
      console.error(`a worker ended by ${signal ?? `exit code ${status}`}`);
      end();
    }
    if (Object.keys(cluster.workers).length === 0) process.exit(code);
  });
  onSignal(end);
}
