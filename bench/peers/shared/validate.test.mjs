import assert from 'node:assert/strict';
import { test } from 'node:test';

import { validateOrder } from './validate.mjs';

const keyboard = { id: 1, name: 'Keyboard', price: 999 };
const mouse = { id: 2, name: 'Mouse', price: 499 };
const order = (changes) => ({ userId: 42, products: [keyboard, mouse], ...changes });
const withProduct = (changes) => order({ products: [keyboard, { ...mouse, ...changes }] });
/** The fields that are told; none when the order is valid. */
const told = (body) => (validateOrder(body).violations ?? []).map(({ field }) => field);

test('defaults are one piece in us dollars', () => {
  assert.deepEqual(validateOrder(order()), {
    order: {
      userId: 42,
      lines: [
        { productId: 1, name: 'Keyboard', unitPrice: 999, quantity: 1 },
        { productId: 2, name: 'Mouse', unitPrice: 499, quantity: 1 },
      ],
      currencyCode: 'USD',
      total: 1498,
      email: 'user42@customers.example',
      paymentToken: undefined,
    },
  });
});

test('what is given is kept, and null is as good as absent', () => {
  const given = { currencyCode: 'JPY', email: 'jane@example.com', paymentToken: 'tok_visa' };
  const { order: kept } = validateOrder({ ...withProduct({ quantity: 3 }), ...given });
  assert.equal(kept.total, 999 + 3 * 499);
  assert.deepEqual({ ...kept, ...given }, kept);
  const { order: absent } = validateOrder({
    ...withProduct({ quantity: null }),
    ...{ currencyCode: null, email: null, paymentToken: null },
  });
  assert.deepEqual(absent, validateOrder(order()).order);
});

test('all broken rules are told together, each once', () => {
  const body = {
    userId: 0,
    products: [
      { id: -1, name: 'a'.repeat(201), price: 999 },
      { id: 2, name: 'Mouse', quantity: 0, colour: 'red' },
      'Monitor',
    ],
    currencyCode: 'usd',
    email: 'jane@example.com\r\nBcc: all@example.com',
    paymentToken: '',
    coupon: 'X',
  };
  assert.deepEqual(validateOrder(body), {
    violations: [
      { field: 'userId', description: 'must be between 1 and 9007199254740991' },
      { field: 'products[0].id', description: 'must be between 1 and 9007199254740991' },
      { field: 'products[0].name', description: 'must be 1 to 200 characters, none of them control' },
      { field: 'products[1].price', description: 'is required' },
      { field: 'products[1].quantity', description: 'must be between 1 and 10000' },
      { field: 'products[1].colour', description: 'is unknown' },
      { field: 'products[2]', description: 'must be an object, not a text' },
      { field: 'currencyCode', description: 'must be an ISO 4217 code in upper case, such as USD' },
      { field: 'email', description: 'must be a mail address such as jane@example.com, without a display name' },
      { field: 'paymentToken', description: 'must be 1 to 200 visible ASCII characters' },
      { field: 'coupon', description: 'is unknown' },
    ],
  });
});

test('bounds are inclusive', () => {
  const products = Array.from({ length: 100 }, () => ({ id: 2 ** 53 - 1, name: '🖱'.repeat(200), price: 0 }));
  products[0] = { id: 1, name: 'K', price: 1e9, quantity: 1_000 };
  products[1] = { id: 1, name: 'K', price: 0, quantity: 10_000 };
  const { order: largest } = validateOrder({ userId: 2 ** 53 - 1, products, paymentToken: '~'.repeat(200) });
  assert.equal(largest.total, 1e12);
});

test('one broken rule names its field', () => {
  const cases = [
    [undefined, 'body'],
    [null, 'body'],
    [[], 'body'],
    [order({ userId: undefined }), 'userId'],
    [order({ userId: 2 ** 53 }), 'userId'],
    [order({ userId: 1.5 }), 'userId'],
    [order({ userId: true }), 'userId'],
    [order({ products: undefined }), 'products'],
    [order({ products: [] }), 'products'],
    [order({ products: {} }), 'products'],
    [order({ products: Array(101).fill(mouse) }), 'products'],
    [order({ products: [null] }), 'products[0]'],
    [withProduct({ id: undefined }), 'products[1].id'],
    [withProduct({ id: 0 }), 'products[1].id'],
    [withProduct({ name: undefined }), 'products[1].name'],
    [withProduct({ name: '' }), 'products[1].name'],
    [withProduct({ name: 7 }), 'products[1].name'],
    [withProduct({ name: 'a\u0007b' }), 'products[1].name'],
    [withProduct({ name: 'a\u0085b' }), 'products[1].name'],
    [withProduct({ name: 'a\ud800b' }), 'products[1].name'],
    [withProduct({ name: '🖱'.repeat(201) }), 'products[1].name'],
    [withProduct({ price: -1 }), 'products[1].price'],
    [withProduct({ price: 1e9 + 1 }), 'products[1].price'],
    [withProduct({ quantity: 10_001 }), 'products[1].quantity'],
    [order({ currencyCode: 'ABC' }), 'currencyCode'],
    [order({ email: 'x'.repeat(65) + '@example.com' }), 'email'],
    [order({ paymentToken: 'tok secret' }), 'paymentToken'],
    [order({ ['x'.repeat(100)]: 1 }), 'x'.repeat(64)],
    [JSON.parse('{"__proto__":{},"userId":1,"products":[{"id":1,"name":"K","price":1}]}'), '__proto__'],
  ];
  for (const [body, field] of cases) assert.deepEqual(told(body), [field], JSON.stringify(body));
});

test('a total beyond the bound is told of all products', () => {
  assert.deepEqual(told(withProduct({ price: 1e9, quantity: 1_001 })), ['products']);
});

test('whole numbers may be texts of decimal digits', () => {
  assert.equal(validateOrder(order({ userId: '42' })).order.userId, 42);
  for (const wrong of ['', '-', '+1', ' 1', '01', '1.0', '1e3', '0x1', '١', '9007199254740992']) {
    assert.deepEqual(told(order({ userId: wrong })), ['userId'], wrong);
  }
});

test('addresses that could inject a header are refused', () => {
  for (const fine of ["jane.o'hara+shop@mail.example.com", 'jane@localhost', 'jané@exämple.com']) {
    assert.deepEqual(told(order({ email: fine })), [], fine);
  }
  const wrong = ['', 'jane', 'jane@', '@example.com', 'jane@example.com\n', 'Jane <jane@example.com>', 'a@b@c.example'];
  wrong.push('jane doe@example.com', '.jane@example.com', 'a..b@example.com', 'jane@-example.com', 'jane@a..b');
  wrong.push(`jane@${'x'.repeat(64)}.com`, `jane@${'example.'.repeat(32)}com`);
  for (const email of wrong) assert.deepEqual(told(order({ email })), ['email'], email);
});

test('what a caller sent in private is never quoted', () => {
  const { violations } = validateOrder(order({ email: 'jane@@example.com', paymentToken: 'tok secret' }));
  assert.equal(violations.length, 2);
  assert.doesNotMatch(JSON.stringify(violations), /jane@@|tok secret/);
});
