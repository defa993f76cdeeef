// The operator's token: it lives in this tab, and is sent to nobody but the gateway.

const STORE = "ordermesh.operatorToken";
let kept = read();

function read() {
  try {
    return sessionStorage.getItem(STORE) ?? "";
  } catch {
    // Storage may be off; the token then lives as long as the page.
    return "";
  }
}

/** Whether there is one, right or wrong. */
export const hasToken = () => kept !== "";

/** The header that shows it; none without a token. */
export const authorization = () => (kept ? { authorization: `Bearer ${kept}` } : {});

/** Keeps one. */
export function keepToken(token) {
  kept = token;
  try {
    sessionStorage.setItem(STORE, token);
  } catch {
    // As above.
  }
}

/** Forgets it. */
export function forgetToken() {
  kept = "";
  try {
    sessionStorage.removeItem(STORE);
  } catch {
    // As above.
  }
}
