// Server-sent events out of a response's bytes (HTML, section 9.2.6). `EventSource` would do the
// same, but cannot show a token.

/** Longest event that is put together, in characters: the largest document is well below. */
const LONGEST = 4 * 1024 * 1024;

/** Puts events together from pieces of text, wherever they were cut. */
export class EventParser {
  constructor() {
    this.rest = "";
    this.name = "";
    this.data = [];
  }

  /** The events that a piece completes. */
  push(piece) {
    const lines = (this.rest + piece).split("\n");
    this.rest = lines.pop();
    if (this.rest.length > LONGEST) throw new Error("an event without an end");
    return lines.map((line) => this.line(line.replace(/\r$/, ""))).filter(Boolean);
  }

  line(line) {
    if (line === "") {
      const event = this.data.length > 0 && { name: this.name || "message", data: this.data.join("\n") };
      this.name = "";
      this.data = [];
      return event;
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (field === "event") this.name = value;
    else if (field === "data") this.data.push(value);
    return undefined;
  }
}

/**
 * Reads a stream to its end.
 * @param {ReadableStream<Uint8Array>} body
 * @param {() => void} alive told of every sign of life, comments included
 */
export async function* eventsOf(body, alive) {
  const parser = new EventParser();
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      alive();
      yield* parser.push(value);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
