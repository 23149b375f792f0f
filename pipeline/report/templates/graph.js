// The graph: nodes and the ring of the chosen one are traces; all links are one path, which is far
// quicker than a line each. A move draws the new layer once and shifts what was drawn from where it was.
const NODES = 0;
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
    this.moving = null; // where nodes are on the screen while they move
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
    return colors[this.mode === "prediction" && predicted ? predicted[node] : labels[node]] ?? GREY;
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
      const said = predicted ? `<br>predicted ${plain(this.className(predicted[node]))}` : "";
      const own = `community ${this.now.community[node]}`;
      return `sample ${sample}: ${plain(names[labels[node]])}${said}<br>${own}`;
    });
  }

  // A network may have more outputs than the data set has classes.
  className(number) {
    return this.data.names[number] ?? `class ${number}`;
  }

  // Links as one path, in the coordinates of the layer or, while they move, of the screen.
  path(pairs, x, y) {
    let found = "M0,0";
    for (let at = 0; at < pairs.length; at += 2) {
      const [a, b] = [pairs[at], pairs[at + 1]];
      found += `M${x[a]},${y[a]}L${x[b]},${y[b]}`;
    }
    return found;
  }

  chosenPairs() {
    if (this.chosen === null) return [];
    return this.now.near[this.chosen].flatMap((other) => [this.chosen, other]);
  }

  traces() {
    const ring = this.chosen === null ? [] : [this.chosen];
    const { x, y } = this.now;
    return [
      { x, y, mode: "markers", marker: this.marker(), text: this.texts(),
        hovertemplate: "%{text}<extra></extra>", showlegend: false },
      { x: ring.map((node) => x[node]), y: ring.map((node) => y[node]), mode: "markers",
        marker: { symbol: "circle-open", size: 18, color: colours().ink, line: { width: 3 } },
        hoverinfo: "skip", showlegend: false },
    ];
  }

  shapes() {
    const c = colours();
    const { x, y, edges } = this.now;
    const shape = (pairs, color, width) => (
      { type: "path", layer: "below", path: this.path(pairs, x, y), line: { color, width } }
    );
    return [shape(edges, c.edge, 0.9), shape(this.chosenPairs(), c.ink, 2.5)];
  }

  layout() {
    const [x, y] = this.ranges[this.layer];
    const bare = { visible: false, fixedrange: !matchMedia("(pointer: fine)").matches };
    return {
      margin: { l: 0, r: 0, t: 0, b: 0 },
      dragmode: bare.fixedrange ? false : "pan",
      hovermode: "closest",
      hoverdistance: 24,
      shapes: this.shapes(),
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

  // Draw again: colours, texts, links; of another layer with the part of the plane that it takes.
  refresh({ fit = false, theme = false } = {}) {
    let layout = { ...this.plot.layout, shapes: this.shapes() };
    if (fit && !this.zoomed) {
      const [x, y] = this.ranges[this.layer];
      layout.xaxis = { ...layout.xaxis, range: [...x] };
      layout.yaxis = { ...layout.yaxis, range: [...y] };
    }
    if (theme) layout = themed(layout);
    return Plotly.react(this.plot, this.traces(), layout, CONFIG);
  }

  // Where the nodes of the layer are on the screen.
  places() {
    const { xaxis, yaxis } = this.plot._fullLayout;
    return [this.now.x.map((x) => xaxis.d2p(x)), this.now.y.map((y) => yaxis.d2p(y))];
  }

  // Shift what is drawn.
  put([x, y]) {
    const { xaxis, yaxis } = this.plot._fullLayout;
    const marks = this.plot.querySelectorAll(".scatterlayer path.point");
    const order = this.chosen === null ? [] : [this.chosen];
    [...x.keys(), ...order].forEach((node, place) =>
      marks[place].setAttribute("transform", `translate(${x[node]},${y[node]})`));
    const [left, top] = [x.map((at) => at + xaxis._offset), y.map((at) => at + yaxis._offset)];
    const links = this.plot.querySelectorAll(".shapelayer path");
    [this.now.edges, this.chosenPairs()].forEach((pairs, place) =>
      links[place].setAttribute("d", this.path(pairs, left, top)));
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

  async moveTo(layer) {
    cancelAnimationFrame(this.frame);
    const from = this.moving ?? this.places();
    this.layer = layer;
    this.slider.value = layer;
    this.tell();
    if (this.chosen !== null) this.describe(this.chosen);
    await this.refresh({ fit: true });
    const to = this.places();
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) await this.glide(from, to);
    if (this.layer === layer) this.root.dataset.layer = layer;
  }

  // Let nodes go from where they were to where they are; another move may take over on the way.
  glide(from, to) {
    const begin = performance.now();
    return new Promise((done) => {
      const step = (time) => {
        const share = Math.min(1, Math.max(0, (time - begin) / MOVE));
        const eased = share * share * (3 - 2 * share);
        const between = (axis) => to[axis].map((end, at) => from[axis][at] + eased * (end - from[axis][at]));
        this.moving = share < 1 ? [between(0), between(1)] : null;
        this.put(this.moving ?? to);
        if (share < 1) this.frame = requestAnimationFrame(step);
        else done();
      };
      step(begin);
    });
  }

  async play() {
    if (this.playing) {
      this.stop();
      return;
    }
    const mine = (this.playing = {}); // whoever stops it may begin another before this one wakes
    this.showPlay("■", "Stop");
    const last = this.data.layers.length - 1;
    let layer = this.layer === last ? 0 : this.layer + 1;
    for (; layer <= last && this.playing === mine; layer++) {
      await this.moveTo(layer);
      await new Promise((done) => setTimeout(done, PAUSE));
    }
    if (this.playing === mine) this.stop();
  }

  stop() {
    this.playing = null;
    this.showPlay("▶", "Play");
  }

  showPlay(sign, word) {
    const button = this.root.querySelector(".play");
    button.firstElementChild.textContent = sign;
    button.querySelector(".word").textContent = word;
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
      rows.push(["predicted", `${this.className(predicted[node])}${sure}${this.wrong(node) ? ", wrong" : ""}`]);
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
      this.stop();
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
      this.refresh({ theme: true });
    });
  }
}

whenNear([...document.querySelectorAll(".graph")], (root) => {
  root.view ??= new GraphView(root);
});
performance.mark("interactive");
