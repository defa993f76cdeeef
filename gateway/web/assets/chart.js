// Orders a minute over the last hour, drawn; the table beside it says the same.

import { element } from "./dom.js";
import { count, minute } from "./format.js";
import uPlot from "./vendor/uplot-1.6.32/uPlot.esm.js";

const HEIGHT = 260;
const MINUTE = 60;

export class RateChart {
  /**
   * @param {Element} place
   * @param {Element} readout where the minute under the pointer is told
   */
  constructor(place, readout) {
    this.place = place;
    this.readout = readout;
    this.buckets = [];
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.build());
    new ResizeObserver(() => this.fit()).observe(place);
  }

  show(buckets) {
    this.buckets = buckets;
    const data = [
      buckets.map(({ startTime }) => Date.parse(startTime) / 1000),
      buckets.map(({ orders }) => orders),
      buckets.map(({ ordersPaid }) => ordersPaid),
    ];
    if (this.plot) this.plot.setData(data);
    else this.build(data);
    this.tell(this.plot.cursor.idx ?? undefined);
    const most = buckets.reduce((a, b) => (b.orders > a.orders ? b : a), buckets[0]);
    const latest = buckets.at(-1);
    const now = latest && `${count(latest.orders)} in this minute so far`;
    const peak = latest && `at most ${count(most.orders)} at ${minute(Date.parse(most.startTime))}`;
    const text = `Orders a minute: ${latest ? `${now}, ${peak}` : "none yet"}`;
    this.place.setAttribute("aria-label", text);
  }

  /** Colours are the page's, so a new scheme is a new drawing. */
  build(data = this.plot?.data) {
    if (!data) return;
    this.plot?.destroy();
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(name).trim();
    const font = `12px ${style.fontFamily}`;
    const axis = { stroke: color("--quiet"), font, ticks: { show: false } };
    const grid = { stroke: color("--edge"), width: 1 };
    const paths = uPlot.paths.bars({ size: [0.8, 24], align: 1, radius: 0.15 });
    const bars = (fill) => ({ fill: color(fill), width: 0, points: { show: false }, paths });
    const options = {
      width: Math.max(200, this.place.clientWidth),
      height: HEIGHT,
      // On the right, half of the last time's text.
      padding: [12, 26, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { setScale: false, x: false, y: false } },
      scales: {
        x: { range: (_, from, to) => [from, (to ?? from) + MINUTE] },
        y: { range: (_, __, most) => [0, Math.max(4, Math.ceil((most ?? 0) * 1.1))] },
      },
      axes: [
        {
          ...axis,
          size: 30,
          grid: { show: false },
          values: (_, splits) => splits.map((at) => minute(at * 1000)),
        },
        {
          ...axis,
          grid,
          size: 44,
          incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1e5, 1e6],
          values: (_, splits) => splits.map(count),
        },
      ],
      // The paid in front of the placed: what is seen of those is not paid yet.
      series: [{}, bars("--chart-placed"), bars("--chart-paid")],
      hooks: { setCursor: [({ cursor }) => this.tell(cursor.idx ?? undefined)] },
    };
    this.plot = new uPlot(options, data, this.place);
  }

  fit() {
    const width = this.place.clientWidth;
    if (this.plot && width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: HEIGHT });
  }

  /** The minute under the pointer, or the newest that is over. */
  tell(index = this.buckets.length - 2) {
    const bucket = this.buckets[index];
    if (!bucket) return;
    const time = minute(Date.parse(bucket.startTime));
    this.readout.replaceChildren(
      element("span", {}, time),
      ` · ${count(bucket.orders)} placed, ${count(bucket.ordersPaid)} paid`,
    );
  }
}
