// The door that both peers have: `POST /order`, and failures as problems (RFC 9457), as
// the gateway tells them.

import express from 'express';

import { validateOrder } from './validate.mjs';

// What Express reads when an application is made; nobody measures its development mode.
process.env.NODE_ENV ??= 'production';

/** A failure on its way to the caller. */
export class Problem extends Error {
  constructor(status, reason, title, detail, more) {
    super(detail);
    this.body = {
      type: `urn:ordermesh:problem:${reason.toLowerCase().replaceAll('_', '-')}`,
      title,
      status,
      detail,
      reason,
      ...more,
    };
  }

  answer(res) {
    res.status(this.body.status).type('application/problem+json').json(this.body);
  }
}

/** An application that hands every valid order to `place(order, res)`, which answers it. */
export function application(place) {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  // The gateway refuses compressed bodies, too.
  app.post('/order', express.json({ limit: '256kb', inflate: false }), (req, res) => {
    if (req.body === undefined) throw notJson('the body must be JSON, with content-type: application/json');
    const { order, violations } = validateOrder(req.body);
    if (violations) throw invalid(violations);
    // Express takes a rejected promise to the error handler.
    return place(order, res);
  });
  app.use((_req, _res) => {
    throw new Problem(404, 'NOT_FOUND', 'There is no such thing', 'there is only POST /order here');
  });
  // By its four parameters Express knows it to be the error handler.
  app.use((error, _req, res, _next) => problemOf(error).answer(res));
  return app;
}

function problemOf(error) {
  if (error instanceof Problem) return error;
  // What express.json refuses (body-parser's README lists the types).
  if (error.type === 'entity.too.large') {
    return new Problem(413, 'TOO_LARGE', 'The request is too large', `the body is larger than ${error.limit} bytes`);
  }
  if (error.status === 415) return notJson(error.message);
  if (error.status === 400) return invalid([{ field: 'body', description: `must be JSON: ${error.message}` }]);
  console.error(error);
  return new Problem(500, 'INTERNAL', 'Something went wrong', 'something went wrong on our side');
}

function notJson(detail) {
  return new Problem(415, 'INVALID_REQUEST', 'The request is not valid', detail);
}

function invalid(errors) {
  const detail =
    errors.length === 1
      ? `${errors[0].field}: ${errors[0].description}`
      : `${errors.length} fields are wrong; each is listed with its rule`;
  return new Problem(400, 'INVALID_REQUEST', 'The request is not valid', detail, { errors });
}
