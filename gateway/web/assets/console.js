// The overview: how the system is, and what it does, as it happens.

import { say, showConnection } from "./connection.js";
import { byId } from "./dom.js";
import { Figures } from "./figures.js";
import { Flow } from "./flow.js";
import { perSecond } from "./format.js";
import { live } from "./live.js";
import { OrdersList } from "./orders-list.js";
import { orderAddress } from "./orders-table.js";
import { showFunnel, showPairs, showProducts } from "./rankings.js";
import { RateTable } from "./rate-table.js";
import { Services } from "./services.js";
import { SignIn } from "./sign-in.js";

/** After so many failed attempts the gateway counts as lost, not as blinking. */
const LOST = 2;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const services = new Services(byId("services"), say);
const flow = new Flow(byId("lane-names"), byId("lanes"));
const figures = new Figures(byId("figures"));
const orders = new OrdersList();
const table = new RateTable(byId("rate-details"), byId("rate-table").tBodies[0]);
/** Half of the page's bytes: fetched beside the first numbers, not before them. */
const chart = import("./chart.js").then(
  ({ RateChart }) => new RateChart(byId("rate-chart"), byId("rate-readout")),
);

const TOLD = {
  services(document) {
    services.show(document);
    flow.show(document.services);
    byId("incoming").textContent = perSecond(document.acceptedPerSecond);
  },
  orders({ orders: newest }) {
    orders.follow(newest);
  },
  analytics(analytics) {
    byId("analytics-away").hidden = Object.values(analytics).every((part) => part !== null);
    figures.show(analytics.stats);
    if (analytics.rate) {
      table.show(analytics.rate.buckets);
      chart
        .then((drawing) => drawing.show(analytics.rate.buckets))
        .catch(() => {
          byId("rate-details").open = true;
        });
    }
    const { funnel, productPairs, topProducts } = analytics;
    if (topProducts) {
      showProducts(byId("products"), topProducts);
      byId("no-products").hidden = topProducts.products.length > 0;
    }
    if (productPairs) {
      const names = new Map(topProducts?.products.map(({ productId, name }) => [productId, name]));
      showPairs(byId("pairs"), productPairs, names);
      byId("no-pairs").hidden = productPairs.pairs.length > 0;
    }
    if (funnel) showFunnel(byId("funnel"), funnel);
  },
};

let stop = () => {};

function start() {
  stop();
  stop = live({
    event: (name, data) => TOLD[name]?.(data),
    state(state, attempts) {
      if (state === "live") open(true);
      if (attempts === LOST) lose();
      showConnection(state);
    },
    refused(refusal) {
      signIn.refuse(refusal);
      showConnection("closed");
    },
  });
}

function lose() {
  flow.show(services.lose());
  byId("incoming").textContent = "not known";
}

function open(isOpen) {
  byId("console").hidden = !isOpen;
  if (isOpen) signIn.accept();
}

const signIn = new SignIn(byId("sign-in"), (mayTry) => {
  open(false);
  if (mayTry) start();
});

byId("by-order").addEventListener("submit", (event) => {
  event.preventDefault();
  const id = byId("order").value.trim().toLowerCase();
  const isId = UUID.test(id);
  byId("order-message").hidden = isId;
  byId("order").setAttribute("aria-invalid", String(!isId));
  if (isId) location.assign(orderAddress(id));
});

if (!orders.isLive) orders.load();
start();
