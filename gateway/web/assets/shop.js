// The shop's page: cart, checkout, and what becomes of the order.

import { Cart } from "./cart.js";
import { byId, element } from "./dom.js";
import { duration, money } from "./format.js";
import { follow } from "./order-events.js";
import { newKey, place } from "./place.js";
import { Timeline } from "./timeline.js";
import { traceAddress } from "./trace.js";

const currency = byId("main").dataset.currency;
const products = new Map();
for (const good of document.querySelectorAll(".good")) {
  const product = {
    id: Number(good.dataset.id),
    name: good.dataset.name,
    price: Number(good.dataset.price),
  };
  products.set(product.id, product);
  good.querySelector("data").textContent = money(product.price, currency);
  good.querySelector("[data-add]").addEventListener("click", () => cart.add(product.id, 1));
}

const cart = new Cart(products);
/** One key for one cart: however often it is sent, it is one order. */
let key = newKey();
let isSending = false;
let stopFollowing = () => {};

cart.onChange(() => {
  key = newKey();
  showCart();
});
for (const field of ["customer", "card"]) {
  byId(field).addEventListener("change", () => {
    key = newKey();
  });
}
byId("checkout").addEventListener("submit", (event) => {
  event.preventDefault();
  checkOut();
});

function showCart() {
  byId("empty").hidden = !cart.isEmpty;
  byId("checkout").hidden = cart.isEmpty;
  // A rebuilt list would lose the focus of who steps a quantity by keyboard.
  const focused = document.activeElement?.getAttribute("aria-label");
  byId("lines").replaceChildren(...cart.lines.map(cartLine));
  byId("total").textContent = money(cart.total, currency);
  if (focused) document.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
}

function cartLine({ id, name, price, quantity }) {
  const step = (sign, label, more) =>
    element("button", { type: "button", "aria-label": label, onclick: () => cart.add(id, more) }, sign);
  return element(
    "li",
    { class: "line" },
    element("span", {}, name),
    element(
      "span",
      { class: "stepper" },
      step("−", `One ${name} less`, -1),
      element("output", {}, String(quantity)),
      step("+", `One ${name} more`, 1),
    ),
    element("span", { class: "line-price number" }, money(price * quantity, currency)),
  );
}

async function checkOut() {
  // A second click while the first is under way asks for nothing new.
  if (isSending || cart.isEmpty) return;
  isSending = true;
  byId("pay").disabled = true;
  byId("problem").hidden = true;
  const card = byId("card").value;
  const order = {
    userId: Number(byId("customer").value),
    currencyCode: currency,
    products: cart.lines.map(({ id, name, price, quantity }) => ({ id, name, price, quantity })),
    ...(card && { paymentToken: card }),
  };
  try {
    const { accepted, milliseconds } = await place(order, key);
    cart.clear();
    history.replaceState(null, "", `?order=${accepted.orderId}`);
    byId("accepted").textContent = `Accepted in ${duration(milliseconds)}`;
    show(accepted.orderId, accepted.traceId);
    byId("order").scrollIntoView({ block: "nearest" });
  } catch (refused) {
    showProblem(refused);
  } finally {
    isSending = false;
    byId("pay").disabled = false;
  }
}

function showProblem({ message, problem }) {
  const errors = problem?.errors ?? [];
  const rules = errors.map(({ field, description }) => element("li", {}, `${field} ${description}`));
  byId("problem").replaceChildren(`Not ordered: ${message}`, ...(rules.length ? [element("ul", {}, ...rules)] : []));
  byId("problem").hidden = false;
}

/** Shows an order's life, from its beginning or from wherever it is. */
function show(orderId, traceId) {
  stopFollowing();
  byId("order").hidden = false;
  byId("order-id").textContent = orderId;
  byId("connection").hidden = true;
  showLinks(orderId, traceId);
  const timeline = new Timeline(byId("stages"));
  stopFollowing = follow(orderId, {
    stage(name, data) {
      timeline.reach(name, data);
      const trace = data.order?.traceId ?? data.view?.order?.traceId;
      if (trace) showLinks(orderId, trace);
    },
    problem({ detail }) {
      tell(detail);
    },
    connected(isConnected) {
      tell(isConnected ? "" : "The connection was lost. Coming back …");
    },
  });
}

function tell(text) {
  byId("connection").textContent = text;
  byId("connection").hidden = text === "";
}

function showLinks(orderId, traceId) {
  const order = `/console/orders/${encodeURIComponent(orderId)}`;
  const links = [
    element("a", { href: order }, "Details"),
    element("a", { href: `${order}#mails` }, "Mails"),
  ];
  const trace = traceAddress(traceId);
  if (trace) links.push(element("a", { href: trace }, "Trace"));
  byId("links").replaceChildren(...links);
}

showCart();
const shown = new URLSearchParams(location.search).get("order");
if (/^[0-9a-f-]{36}$/.test(shown ?? "")) {
  byId("accepted").textContent = "Your order";
  show(shown);
}
