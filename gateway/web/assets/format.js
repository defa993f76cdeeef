// Numbers, money and times as people read them, in the browser's language.

const formats = new Map();

function moneyFormat(currency) {
  if (!formats.has(currency)) {
    formats.set(currency, new Intl.NumberFormat(undefined, { style: "currency", currency }));
  }
  return formats.get(currency);
}

/**
 * An amount in minor units as text in its currency's own format.
 * How many minor units make one, the currency says: 100 for USD, 1 for JPY, 1000 for KWD.
 */
export function money(minor, currency) {
  const format = moneyFormat(currency);
  const digits = format.resolvedOptions().maximumFractionDigits;
  return format.format(minor / 10 ** digits);
}

const whole = new Intl.NumberFormat();
/** A count with the language's separators. */
export const count = (number) => whole.format(number);

/** Milliseconds as text: "4 ms", "1.3 s", "2 min 5 s". */
export function duration(milliseconds) {
  const time = Math.max(0, milliseconds);
  if (time < 1000) return `${time < 10 ? trimmed(time, 1) : Math.round(time)} ms`;
  const seconds = time / 1000;
  if (seconds < 60) return `${trimmed(seconds, 1)} s`;
  const minutes = Math.floor(seconds / 60);
  return `${minutes} min ${Math.round(seconds - minutes * 60)} s`;
}

const trimmed = (number, digits) => String(Number(number.toFixed(digits)));

/**
 * A time as the API writes it (RFC 3339, up to microseconds) in milliseconds since 1970.
 * Date.parse keeps whole milliseconds only; two stages of an order can be closer.
 */
export function instant(text) {
  const fraction = /\.(\d+)/.exec(text);
  if (!fraction) return Date.parse(text);
  const whole = Date.parse(text.replace(fraction[0], ""));
  return whole + Number(`0${fraction[0]}`) * 1000;
}
