// The gateway's rules for an order (gateway/src/validate/order.rs, proto/src/limits.rs).
//
// Invariant: a body is either turned into an order that satisfies every bound, defaults
// applied, or answered with every field that breaks a rule, each told once.
//
// Written by hand: a schema library would be slower, and the peers would be blamed for it.

import { CURRENCIES } from './currencies.mjs';

const MAX_ID = Number.MAX_SAFE_INTEGER; // 2^53-1
const MAX_LINES = 100;
const MAX_PRICE = 1_000_000_000;
const MAX_QUANTITY = 10_000;
const MAX_TOTAL = 1_000_000_000_000;
const MAX_EMAIL_OCTETS = 254;
/** Characters of a caller's own field name that an answer quotes. */
const MAX_UNKNOWN_CHARS = 64;

const ORDER_FIELDS = new Set(['userId', 'products', 'currencyCode', 'email', 'paymentToken']);
const PRODUCT_FIELDS = new Set(['id', 'name', 'price', 'quantity']);

const DIGITS = /^-?(?:0|[1-9][0-9]*)$/;
// Characters are Unicode scalar values, so half a surrogate pair is none.
const NAME = /^[^\p{Cc}\p{Cs}]{1,200}$/u;
const TOKEN = /^[\x21-\x7e]{1,200}$/;
// A mailbox (RFC 5321) as a dot-atom at a domain; see `isEmail` for its lengths.
const BEYOND_ASCII = String.raw`\u00a0-\ud7ff\ue000-\u{10ffff}`;
const ATOM = String.raw`[\w!#$%&'*+/=?^\x60{|}~${BEYOND_ASCII}\-]+`;
const ALNUM = `A-Za-z0-9${BEYOND_ASCII}`;
const LABEL = String.raw`[${ALNUM}](?:[${ALNUM}\-]{0,61}[${ALNUM}])?`;
const EMAIL = new RegExp(String.raw`^${ATOM}(?:\.${ATOM})*@${LABEL}(?:\.${LABEL})*$`, 'u');

/**
 * Checks what came as JSON. Gives `{ order }`, or `{ violations }`: a list of
 * `{ field, description }`, never empty.
 */
export function validateOrder(body) {
  const violations = [];
  const tell = (field, description) => violations.push({ field, description });
  const check = (field, problem) => {
    if (problem !== undefined) tell(field, problem);
  };

  if (!isObject(body)) {
    tell('body', `must be an object, not ${kind(body)}`);
    return { violations };
  }
  const userId = integer(body.userId);
  check('userId', integerProblem(userId, 1, MAX_ID));
  const lines = linesOf(body.products, tell);
  const currencyCode = body.currencyCode ?? 'USD';
  check('currencyCode', textProblem(currencyCode, isCurrency, CURRENCY_RULE));
  // The gateway's default pattern.
  const email = body.email ?? `user${userId}@customers.example`;
  if (body.email != null) check('email', textProblem(email, isEmail, EMAIL_RULE));
  const paymentToken = body.paymentToken ?? undefined;
  if (paymentToken !== undefined) check('paymentToken', textProblem(paymentToken, isToken, TOKEN_RULE));
  tellUnknown(body, ORDER_FIELDS, check);

  // At most 100 × 10^9 × 10^4 = 10^15, so the sum is exact.
  const total = lines?.reduce((sum, line) => sum + line.unitPrice * line.quantity, 0);
  if (total > MAX_TOTAL) tell('products', `must come to a total of at most ${MAX_TOTAL}`);

  if (violations.length > 0) return { violations };
  return { order: { userId, lines, currencyCode, total, email, paymentToken } };
}

/** The lines, or nothing when one of them is wrong. */
function linesOf(products, tell) {
  if (products != null && !Array.isArray(products)) {
    tell('products', `must be a list, not ${kind(products)}`);
    return undefined;
  }
  const count = products?.length ?? 0;
  if (count < 1 || count > MAX_LINES) {
    tell('products', `must hold 1 to ${MAX_LINES} products`);
    return undefined;
  }
  let allValid = true;
  const tellOfLine = (field, description) => {
    allValid = false;
    tell(field, description);
  };
  const lines = products.map((product, index) => lineOf(product, index, tellOfLine));
  return allValid ? lines : undefined;
}

function lineOf(product, index, tell) {
  if (!isObject(product)) {
    tell(`products[${index}]`, `must be an object, not ${kind(product)}`);
    return undefined;
  }
  // The path is made only for what is wrong.
  const check = (field, problem) => {
    if (problem !== undefined) tell(`products[${index}].${field}`, problem);
  };
  const productId = integer(product.id);
  const { name } = product;
  const unitPrice = integer(product.price);
  const quantity = integer(product.quantity) ?? 1;
  check('id', integerProblem(productId, 1, MAX_ID));
  check('name', textProblem(name, isName, NAME_RULE));
  check('price', integerProblem(unitPrice, 0, MAX_PRICE));
  check('quantity', integerProblem(quantity, 1, MAX_QUANTITY));
  tellUnknown(product, PRODUCT_FIELDS, check);
  return { productId, name, unitPrice, quantity };
}

function tellUnknown(object, known, check) {
  for (const field in object) {
    // By characters: half a surrogate pair would be no text.
    if (!known.has(field)) check([...field].slice(0, MAX_UNKNOWN_CHARS).join(''), 'is unknown');
  }
}

/**
 * A whole number, or one in decimal digits as a text, as protobuf's JSON writes 64-bit
 * numbers. Absent stays undefined; what is no whole number becomes NaN.
 */
function integer(value) {
  if (value == null) return undefined;
  if (typeof value === 'number') return Number.isInteger(value) ? value : NaN;
  return typeof value === 'string' && DIGITS.test(value) ? Number(value) : NaN;
}

function integerProblem(number, least, most) {
  if (number === undefined) return 'is required';
  if (Number.isNaN(number)) return 'must be a whole number, or one in decimal digits as a text';
  if (number < least || number > most) return `must be between ${least} and ${most}`;
  return undefined;
}

function textProblem(text, isValid, rule) {
  if (text == null) return 'is required';
  if (typeof text !== 'string') return `must be a text, not ${kind(text)}`;
  return isValid(text) ? undefined : rule;
}

const CURRENCY_RULE = 'must be an ISO 4217 code in upper case, such as USD';
const NAME_RULE = 'must be 1 to 200 characters, none of them control';
const TOKEN_RULE = 'must be 1 to 200 visible ASCII characters';
const EMAIL_RULE = 'must be a mail address such as jane@example.com, without a display name';

const isCurrency = (text) => CURRENCIES.has(text);
const isName = (text) => NAME.test(text);
const isToken = (text) => TOKEN.test(text);

function isEmail(text) {
  // The length first: it also bounds what the expression has to look at.
  if (Buffer.byteLength(text) > MAX_EMAIL_OCTETS || !EMAIL.test(text)) return false;
  const at = text.lastIndexOf('@');
  return Buffer.byteLength(text.slice(0, at)) <= 64; // RFC 5321, section 4.5.3.1.1
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kind(value) {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number') return Number.isInteger(value) ? 'a number' : 'a number with a fraction';
  return { boolean: 'a truth value', string: 'a text', object: 'an object' }[typeof value] ?? 'nothing';
}
