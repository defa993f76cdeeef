// Numbers, money and times as people read them, in the browser's language.

const formats = new Map();

function moneyFormat(currency, more = {}) {
  const key = `${currency} ${more.notation ?? ""}`;
  if (!formats.has(key)) {
    formats.set(key, new Intl.NumberFormat(undefined, { style: "currency", currency, ...more }));
  }
  return formats.get(key);
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

/** From here on an amount is told in short, in minor units. */
const LARGE = 1e9;

/** An amount where there is little room: "$28.2M". */
export function briefMoney(minor, currency) {
  if (minor < LARGE) return money(minor, currency);
  const digits = moneyFormat(currency).resolvedOptions().maximumFractionDigits;
  return moneyFormat(currency, { notation: "compact", maximumFractionDigits: 1 }).format(
    minor / 10 ** digits,
  );
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

const small = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
/** How often a second: "3.2/s". */
export const perSecond = (number) => `${number < 100 ? small.format(number) : count(Math.round(number))}/s`;

const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 0 });
const finePercent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
/**
 * A part of a whole: "42%"; nothing of nothing is nothing. Near both ends more finely: few that
 * were declined are neither none, nor are all the others all.
 */
export function share(part, all) {
  const ratio = all > 0 ? part / all : 0;
  const isNearAnEnd = ratio < 0.05 || ratio > 0.95;
  return (isNearAnEnd ? finePercent : percent).format(ratio);
}

const clockFormat = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const dayFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const minuteFormat = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

const exactFormat = new Intl.DateTimeFormat(undefined, {
  year: "numeric",
  month: "short",
  day: "numeric",
  hour: "numeric",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
});

/** A point in time to the millisecond. */
export const exactTime = (text) => exactFormat.format(new Date(text));

/** The time of day to the minute. */
export const minute = (milliseconds) => minuteFormat.format(milliseconds);

/** A point in time: today the time of day is enough. */
export function pointInTime(text) {
  const date = new Date(text);
  const isToday = date.toDateString() === new Date().toDateString();
  return (isToday ? clockFormat : dayFormat).format(date);
}

/** How long something has been up: "12 s", "5 min", "3 h", "2 d". */
export function uptime(seconds) {
  if (seconds < 60) return `${seconds}\u00a0s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}\u00a0min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)}\u00a0h`;
  return `${Math.floor(seconds / 86400)}\u00a0d`;
}

/** One of something, or several: "1 order", "2 orders". */
export const counted = (number, one, several = `${one}s`) =>
  `${count(number)} ${number === 1 ? one : several}`;
