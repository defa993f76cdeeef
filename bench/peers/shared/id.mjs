import { randomUUID } from 'node:crypto';

/**
 * A UUIDv7 (RFC 9562, section 5.7): milliseconds, then random bits. Node makes only
 * version 4, whose ids land all over an index; its random part and its variant are
 * what a version 7 needs behind the time.
 */
export function uuidv7() {
  const time = Date.now().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}
