"use strict";
// Figures are drawn when they come near the screen, in the colours of the page.
const CONFIG = { displayModeBar: false, responsive: true, scrollZoom: false };

function colours() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  return {
    ink: read("--ink"), muted: read("--muted"), grid: read("--grid"), line: read("--line"),
    card: read("--card"), edge: read("--edge"), rim: read("--rim"), accent: read("--accent"),
  };
}

function themed(layout) {
  const c = colours();
  const axis = { gridcolor: c.grid, linecolor: c.line, tickcolor: c.line, zerolinecolor: c.line };
  const found = {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: c.ink, family: getComputedStyle(document.body).fontFamily, size: 13 },
    hoverlabel: { bgcolor: c.card, bordercolor: c.line, font: { color: c.ink, size: 14 }, align: "left" },
  };
  for (const name of Object.keys(layout).filter((key) => /^[xy]axis/.test(key))) {
    found[name] = { ...layout[name], ...axis };
  }
  return { ...layout, ...found };
}

const drawn = new Map();

function draw(plot) {
  if (drawn.has(plot)) return;
  const source = document.querySelector(`script[data-figure="${plot.id}"]`);
  const figure = JSON.parse(source.textContent);
  drawn.set(plot, figure.layout);
  Plotly.newPlot(plot, figure.data, themed(figure.layout), CONFIG).then(() => {
    plot.dataset.drawn = "yes";
  });
}

function recolour() {
  for (const [plot, layout] of drawn) Plotly.relayout(plot, themed(layout));
  document.dispatchEvent(new Event("recolour"));
}

function whenNear(elements, act) {
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      watch.unobserve(entry.target);
      act(entry.target);
    }
  }, { rootMargin: "600px" });
  elements.forEach((one) => watch.observe(one));
}

const plots = [...document.querySelectorAll("figure .plot")];
whenNear(plots, draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
addEventListener("beforeprint", () => plots.forEach(draw));
