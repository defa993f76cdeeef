// Who may look at operations: asks for the operator's token where the gateway wants one.

import { byId, element } from "./dom.js";
import { forgetToken, hasToken, keepToken } from "./token.js";

/** Characters that an HTTP header carries unchanged. */
const TOKEN = /^[\x21-\x7e]+$/;

export class SignIn {
  /**
   * @param {Element} place where the form, or the reason, is shown
   * @param {(isOpen: boolean) => void} changed told whether there is something to see; with
   *   `true` after a token was given, so that it can be tried
   */
  constructor(place, changed) {
    this.place = place;
    this.changed = changed;
    const out = byId("sign-out");
    out.addEventListener("click", () => {
      forgetToken();
      location.reload();
    });
    this.out = out;
    out.hidden = !hasToken();
  }

  /** Takes a refusal: 401 asks for a token, 403 says what would have to be set. */
  refuse(refusal) {
    const wasWrong = hasToken();
    // A page asks several things: their refusals are one, and what is being typed is kept.
    const isAsked = !this.place.hidden && this.place.querySelector("form") !== null;
    if (refusal.status === 401 && isAsked && !wasWrong) return;
    if (refusal.status === 401) {
      forgetToken();
      this.place.replaceChildren(this.form(wasWrong ? "This token was not accepted." : ""));
      if (wasWrong) this.place.querySelector("input").focus();
    } else {
      this.place.replaceChildren(
        element("h2", {}, "Not open to you"),
        element("p", { class: "notice warn", role: "alert" }, refusal.message),
      );
    }
    this.place.hidden = false;
    this.out.hidden = true;
    this.changed(false);
  }

  /** Access was granted. */
  accept() {
    if (!this.place.hidden) this.place.hidden = true;
    this.out.hidden = !hasToken();
  }

  form(message) {
    const error = element("p", { class: "notice bad", role: "alert", hidden: !message }, message);
    const input = element("input", {
      id: "token",
      type: "password",
      required: true,
      autocomplete: "current-password",
      "aria-describedby": "token-help",
    });
    const submit = (event) => {
      event.preventDefault();
      const token = input.value.trim();
      if (!TOKEN.test(token)) {
        error.textContent = "A token is made of visible ASCII characters.";
        error.hidden = false;
        return;
      }
      keepToken(token);
      this.changed(true);
    };
    return element(
      "form",
      { class: "sign-in", onsubmit: submit },
      element("h2", {}, "Sign in"),
      element(
        "p",
        { class: "quiet", id: "token-help" },
        "What is shown here is for operators. The token is what the gateway was given as ",
        element("code", {}, "GATEWAY__OPERATOR_TOKEN"),
        "; it stays in this tab.",
      ),
      error,
      element("p", { class: "field" }, element("label", { for: "token" }, "Operator token"), input),
      element("button", { class: "primary" }, "Sign in"),
    );
  }
}
