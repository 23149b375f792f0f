// The graph: one trace of links, one of the chosen sample's links, one of nodes, one ring.
const [LINKS, CHOSEN, NODES, RING] = [0, 1, 2, 3];
const MOVE = 650; // milliseconds from one layer to the next
const PAUSE = 500;
const GREY = "#8c8c8c";
const OWN = 10; // communities with a colour of their own

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function plain(text) {
  return String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function reach(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = 0.05 * (high - low + 1);
  return [low - room, high + room];
}

class GraphView {
  constructor(root) {
    this.root = root;
    this.data = JSON.parse(root.querySelector("script.data").textContent);
    this.plot = root.querySelector(".plot");
    this.slider = root.querySelector("input[type=range]");
    this.about = root.querySelector(".about");
    this.layer = this.data.layers.length - 1;
    this.mode = "class";
    this.alone = null; // the class that is shown alone
    this.chosen = null;
    this.x = [...this.now.x];
    this.y = [...this.now.y];
    this.sizes = this.communitySizes();
    this.ranges = this.data.layers.map((layer) => [reach(layer.x), reach(layer.y)]);
    this.zoomed = false;
    this.draw();
    this.listen();
  }

  get now() {
    return this.data.layers[this.layer];
  }

  // The largest communities of all layers together get colours; numbers stay from layer to layer.
  communitySizes() {
    const counts = new Map();
    for (const layer of this.data.layers)
      for (const number of layer.community) counts.set(number, (counts.get(number) || 0) + 1);
    const order = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
    return new Map(order.slice(0, OWN).map(([number], place) => [number, place]));
  }

  shown(node) {
    const { labels, predicted } = this.data;
    if (this.alone === null) return true;
    return (this.mode === "prediction" && predicted ? predicted : labels)[node] === this.alone;
  }

  colour(node) {
    const { labels, predicted, colors, communityColors } = this.data;
    if (this.mode === "community") {
      const place = this.sizes.get(this.now.community[node]);
      return place === undefined ? GREY : communityColors[place];
    }
    return colors[this.mode === "prediction" && predicted ? predicted[node] : labels[node]];
  }

  wrong(node) {
    return this.data.predicted && this.data.predicted[node] !== this.data.labels[node];
  }

  marker() {
    const nodes = this.data.samples.map((_, node) => node);
    const size = nodes.length > 700 ? 7 : nodes.length > 250 ? 8 : 10;
    const odd = this.mode === "prediction";
    return {
      color: nodes.map((node) => this.colour(node)),
      opacity: nodes.map((node) => (this.shown(node) ? 1 : 0.08)),
      symbol: nodes.map((node) => (odd && this.wrong(node) ? "diamond" : "circle")),
      size: nodes.map((node) => (odd && this.wrong(node) ? size + 4 : size)),
      line: { width: nodes.map((node) => (odd && this.wrong(node) ? 1.5 : 0.6)), color: colours().rim },
    };
  }

  texts() {
    const { samples, labels, names, predicted } = this.data;
    return samples.map((sample, node) => {
      const said = predicted ? `<br>predicted ${plain(names[predicted[node]])}` : "";
      const own = `community ${this.now.community[node]}`;
      return `sample ${sample}: ${plain(names[labels[node]])}${said}<br>${own}`;
    });
  }

  // Ends of links with a gap between them, at the places where nodes are now.
  lines(pairs) {
    const x = [], y = [];
    for (let at = 0; at < pairs.length; at += 2) {
      x.push(this.x[pairs[at]], this.x[pairs[at + 1]], null);
      y.push(this.y[pairs[at]], this.y[pairs[at + 1]], null);
    }
    return [x, y];
  }

  chosenPairs() {
    if (this.chosen === null) return [];
    return this.now.near[this.chosen].flatMap((other) => [this.chosen, other]);
  }

  traces() {
    const c = colours();
    const [lx, ly] = this.lines(this.now.edges);
    const [cx, cy] = this.lines(this.chosenPairs());
    const ring = this.chosen === null ? [] : [this.chosen];
    const skip = { hoverinfo: "skip", showlegend: false };
    return [
      { x: lx, y: ly, mode: "lines", line: { color: c.edge, width: 0.8 }, ...skip },
      { x: cx, y: cy, mode: "lines", line: { color: c.ink, width: 2.5 }, ...skip },
      { x: [...this.x], y: [...this.y], mode: "markers", marker: this.marker(), text: this.texts(),
        hovertemplate: "%{text}<extra></extra>", showlegend: false },
      { x: ring.map((n) => this.x[n]), y: ring.map((n) => this.y[n]), mode: "markers",
        marker: { symbol: "circle-open", size: 18, color: c.ink, line: { width: 3 } }, ...skip },
    ];
  }

  layout() {
    const [x, y] = this.ranges[this.layer];
    const bare = { visible: false, fixedrange: !matchMedia("(pointer: fine)").matches };
    return {
      margin: { l: 0, r: 0, t: 0, b: 0 },
      dragmode: bare.fixedrange ? false : "pan",
      hovermode: "closest",
      hoverdistance: 24,
      xaxis: { ...bare, range: x },
      yaxis: { ...bare, range: y, scaleanchor: "x" },
    };
  }

  draw() {
    Plotly.newPlot(this.plot, this.traces(), themed(this.layout()), CONFIG).then(() => {
      this.root.dataset.ready = "yes";
      this.root.dataset.layer = this.layer;
    });
    this.tell();
  }

  // Colours, texts and links again, at the places where nodes are now.
  refresh(ranges) {
    const layout = { ...this.plot.layout };
    if (ranges && !this.zoomed) {
      layout.xaxis = { ...layout.xaxis, range: ranges[0] };
      layout.yaxis = { ...layout.yaxis, range: ranges[1] };
    }
    return Plotly.react(this.plot, this.traces(), layout, CONFIG);
  }

  tell() {
    const { name, q, ami, communities } = this.now;
    const number = `${this.layer + 1} of ${this.data.layers.length}`;
    const minus = (value) => value.toFixed(2).replace("-", "−");
    this.slider.setAttribute("aria-valuetext", `${name}, ${number}`);
    this.root.querySelector(".state").textContent =
      `${name} (${number}): Q ${minus(q)}, ${communities} communities, AMI with the classes ${minus(ami)}`;
    const kept = Math.min(OWN, this.sizes.size);
    this.root.querySelector(".legend-note").textContent = {
      class: "",
      prediction: this.data.predicted
        ? "Diamonds are predicted wrong." : "This network predicts nothing: colours are the classes.",
      community: `The ${kept} largest communities have colours, which they keep from layer to layer; others are grey.`,
    }[this.mode];
  }

  moveTo(layer) {
    cancelAnimationFrame(this.frame);
    this.layer = layer;
    this.slider.value = layer;
    this.tell();
    if (this.chosen !== null) this.describe(this.chosen);
    const from = [[...this.x], [...this.y]];
    const seen = ["xaxis", "yaxis"].map((axis) => [...this.plot.layout[axis].range]);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const begin = performance.now();
    return new Promise((done) => {
      const step = (time) => {
        const share = still ? 1 : Math.min(1, Math.max(0, (time - begin) / MOVE));
        const eased = share * share * (3 - 2 * share);
        for (let node = 0; node < this.x.length; node++) {
          this.x[node] = from[0][node] + eased * (this.now.x[node] - from[0][node]);
          this.y[node] = from[1][node] + eased * (this.now.y[node] - from[1][node]);
        }
        this.refresh(this.ranges[layer].map((range, axis) =>
          range.map((end, side) => seen[axis][side] + eased * (end - seen[axis][side]))));
        if (share < 1) this.frame = requestAnimationFrame(step);
        else {
          this.root.dataset.layer = layer;
          done();
        }
      };
      this.frame = requestAnimationFrame(step);
    });
  }

  async play() {
    const button = this.root.querySelector(".play");
    const show = (sign, word) => {
      button.firstElementChild.textContent = sign;
      button.querySelector(".word").textContent = word;
    };
    if (this.playing) {
      this.playing = false;
      return;
    }
    this.playing = true;
    show("■", "Stop");
    const last = this.data.layers.length - 1;
    let layer = this.layer === last ? 0 : this.layer + 1;
    for (; layer <= last && this.playing; layer++) {
      await this.moveTo(layer);
      await new Promise((done) => setTimeout(done, PAUSE));
    }
    this.playing = false;
    show("▶", "Play");
  }

  thumb(node, size) {
    if (!this.data.images) return "";
    const columns = Number(this.root.dataset.columns);
    const place = this.data.images[node];
    const style = `--size:${size}px;--column:${place % columns};--row:${Math.floor(place / columns)}`;
    return element("span", { class: `thumb ${this.root.dataset.sprite}`, style, "aria-hidden": "true" });
  }

  describe(node) {
    const { samples, labels, names, predicted, confidence } = this.data;
    const rows = [["class", names[labels[node]]]];
    if (predicted) {
      const sure = confidence[node] >= 0 ? ` (${Math.round(100 * confidence[node])} %)` : "";
      rows.push(["predicted", `${names[predicted[node]]}${sure}${this.wrong(node) ? ", wrong" : ""}`]);
    }
    rows.push(["community", String(this.now.community[node])]);
    const list = element("dl");
    for (const [what, value] of rows) list.append(element("dt", {}, what), element("dd", {}, value));
    const near = element("ul", { class: "near" });
    for (const other of this.now.near[node]) {
      const same = labels[other] === labels[node];
      const words = element("span", {}, names[labels[other]],
        element("span", { class: "note" }, `${samples[other]}, ${same ? "same class" : "other class"}`));
      const button = element("button", { type: "button" }, this.thumb(other, 40), words);
      button.addEventListener("click", () => this.choose(other));
      near.append(element("li", {}, button));
    }
    this.about.replaceChildren(
      element("p", {}, element("b", {}, `Sample ${samples[node]}`)),
      this.thumb(node, 112), list,
      element("p", { class: "note" }, `Most similar in ${this.now.name}:`), near,
    );
  }

  choose(node) {
    this.chosen = node;
    this.describe(node);
    this.root.querySelector(".sample input").value = this.data.samples[node];
    this.refresh();
  }

  find(text) {
    const node = this.data.samples.indexOf(Number(text));
    if (text !== "" && node >= 0) this.choose(node);
    else {
      const some = this.data.samples.slice(0, 3).join(", ");
      this.about.replaceChildren(element("p", { class: "note" },
        `There is no sample ${text} here. There are ${some}, ... (${this.data.samples.length} in all).`));
    }
  }

  zoom(kind) {
    const change = {};
    for (const axis of ["xaxis", "yaxis"]) {
      const all = this.ranges[this.layer][axis === "xaxis" ? 0 : 1];
      const [low, high] = kind === "all" ? all : this.plot.layout[axis].range;
      const half = ((high - low) / 2) * { in: 0.7, out: 1 / 0.7, all: 1 }[kind];
      change[`${axis}.range`] = [(low + high) / 2 - half, (low + high) / 2 + half];
    }
    this.zoomed = kind !== "all";
    Plotly.relayout(this.plot, change);
  }

  showAlone(button) {
    const on = button.getAttribute("aria-pressed") !== "true";
    for (const other of this.root.querySelectorAll(".legend button"))
      other.setAttribute("aria-pressed", String(on && other === button));
    this.alone = on ? Number(button.dataset.class) : null;
    this.refresh();
  }

  listen() {
    const on = (selector, kind, act) => this.root.querySelectorAll(selector)
      .forEach((one) => one.addEventListener(kind, (event) => act(one, event)));
    this.slider.addEventListener("input", () => {
      this.playing = false;
      this.moveTo(Number(this.slider.value));
    });
    on(".play", "click", () => this.play());
    on(".colours input", "change", (input) => {
      this.mode = input.value;
      this.tell();
      this.refresh();
    });
    on(".zoom button", "click", (button) => this.zoom(button.dataset.zoom));
    on(".legend button", "click", (button) => this.showAlone(button));
    on(".sample form", "submit", (form, event) => {
      event.preventDefault();
      this.find(form.querySelector("input").value.trim());
    });
    const node = (event) => event.points.find((point) => point.curveNumber === NODES)?.pointNumber;
    this.plot.on("plotly_relayout", (change) => {
      if ("xaxis.range[0]" in change) this.zoomed = true; // dragged
    });
    this.plot.on("plotly_hover", (event) => {
      if (node(event) !== undefined && this.chosen === null) this.describe(node(event));
    });
    this.plot.on("plotly_click", (event) => {
      if (node(event) !== undefined) this.choose(node(event));
    });
    document.addEventListener("recolour", () => {
      Plotly.react(this.plot, this.traces(), themed(this.plot.layout), CONFIG);
    });
  }
}

whenNear([...document.querySelectorAll(".graph")], (root) => {
  root.view ??= new GraphView(root);
});
performance.mark("interactive");
