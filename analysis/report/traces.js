// The power of runs over time, drawn when it is asked for.

const PHASE_COLOURS = {
  startup: 6, idle: 4, load: 3, warmup: 1, prefill: 5, decode: 0, overhead: 7, answer: 2, shutdown: 6,
};
// Okabe and Ito's colours, which people with any colour vision tell apart.
const COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8A8A8A", "#882255"];
const DASHES = ["solid", "dash", "dot", "dashdot"];
const MS = 1000;
const TENTHS = 10;
const PANEL_PX = 300;
const AROUND_PX = 130;
const BETWEEN = 0.12;
const MOST_FRAMES = 600;
const NARROW_PX = 640;
let drawing = null;

/** The library that draws, unpacked when it is first needed. */
function plotly() {
  if (globalThis.Plotly) return Promise.resolve(globalThis.Plotly);
  drawing ??= (async () => {
    const carried = document.getElementById("data-plotly");
    if (!carried) throw new Error("this page was written where the library that draws was not installed");
    const script = made("script");
    script.textContent = await inflated(carried);
    document.head.append(script);
    return globalThis.Plotly;
  })();
  return drawing;
}

const themed = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const colour = (number) => themed(`--plot-${number % COLOURS.length}`) || COLOURS[number % COLOURS.length];

/** Times in seconds of differences in milliseconds. */
function seconds(steps) {
  let at = 0;
  return steps.map((step) => (at += step) / MS);
}
const watts = (tenths) => tenths.map((one) => (one === null ? null : one / TENTHS));

/** Begin and end of each stretch, in seconds. */
function stretches(steps) {
  const found = [];
  let at = 0;
  for (let i = 0; i < steps.length; i += 2) {
    const begin = at + steps[i];
    at = begin + steps[i + 1];
    found.push([begin / MS, at / MS]);
  }
  return found;
}

/** What plotly draws of one run, on the axes of one panel. */
function tracesOf(trace, number, groups) {
  const x = "x";
  const power = number ? `y${2 * number + 2}` : "y2";
  const marks = number ? `y${2 * number + 1}` : "y";
  const once = (group) => !groups.has(group) && Boolean(groups.add(group));
  const found = [];
  for (const [phase, steps] of Object.entries(trace.phases)) {
    const xs = [];
    const ys = [];
    for (const [begin, end] of stretches(steps)) {
      xs.push(begin, begin, end, end, null);
      ys.push(0, 1, 1, 0, null);
    }
    const shade = colour(PHASE_COLOURS[phase] ?? 6);
    found.push({
      x: xs, y: ys, xaxis: x, yaxis: marks, type: "scatter", mode: "lines", fill: "toself",
      line: { width: 0 }, fillcolor: shade, opacity: 0.22, name: phase, legendgroup: `phase ${phase}`,
      legendgrouptitle: undefined, showlegend: once(`phase ${phase}`), hoverinfo: "skip",
    });
  }
  (trace.boards ?? []).forEach((board, at) => {
    const rank = board.rank === null ? "no rank" : `rank ${board.rank}`;
    found.push({
      x: seconds(board.t), y: watts(board.w), xaxis: x, yaxis: power, type: "scatter", mode: "lines",
      line: { width: 1.4, color: colour(at), dash: DASHES[Math.floor(at / COLOURS.length) % DASHES.length] },
      connectgaps: false, name: `${board.gpu} (${rank})`, legendgroup: `${number} ${board.host}`,
      legendgrouptitle: { text: board.host },
      hovertemplate: `%{x:.2f} s: %{y:.1f} W<br>${escaped(board.gpu)}, ${rank}, ${escaped(board.host)}<extra></extra>`,
    });
  });
  if (trace.band) {
    const step = (trace.band.to - trace.band.from) / trace.band.mean.length;
    const xs = trace.band.mean.map((_, at) => (trace.band.from + (at + 0.5) * step) / MS);
    const common = { x: xs, xaxis: x, yaxis: power, type: "scatter", mode: "lines", connectgaps: false };
    const ink = themed("--ink");
    const named = { least: "least", greatest: "least to greatest", mean: "mean" };
    for (const [name, text] of Object.entries(named)) {
      found.push({
        ...common, y: watts(trace.band[name]), name: `${text} of ${trace.band.boards} GPUs`,
        legendgroup: `${number} band`, showlegend: name !== "least",
        line: { width: name === "mean" ? 1.6 : 0, color: ink },
        ...(name === "greatest" ? { fill: "tonexty", fillcolor: "rgba(128,128,128,.35)" } : {}),
        hovertemplate: `%{x:.2f} s: %{y:.1f} W<br>${name} of ${trace.band.boards} GPUs<extra></extra>`,
      });
    }
  }
  trace.nodes.forEach((node, at) => {
    found.push({
      x: seconds(node.t), y: watts(node.w), xaxis: x, yaxis: power, type: "scatter", mode: "lines",
      line: { width: 2, color: colour(at + 5), dash: "longdash" }, name: `whole node ${node.host}`,
      legendgroup: `${number} nodes`, visible: "legendonly",
      hovertemplate: `%{x:.2f} s: %{y:.0f} W<br>node ${escaped(node.host)} by its service processor<extra></extra>`,
    });
  });
  const reasons = new Map();
  for (const [board, begin, end, reason] of trace.held) {
    if (!reasons.has(reason)) reasons.set(reason, { x: [], y: [], customdata: [] });
    const of = reasons.get(reason);
    const gpu = trace.boards?.[board]?.gpu ?? `GPU ${board}`;
    const y = 0.985 - 0.03 * (board % 8);
    of.x.push(begin / MS, end / MS, null);
    of.y.push(y, y, null);
    of.customdata.push(gpu, gpu, "");
  }
  let held = 0;
  for (const [reason, of] of reasons) {
    const ink = colour([5, 7, 3, 1][held++ % 4]);
    found.push({
      ...of, xaxis: x, yaxis: marks, type: "scatter", mode: "lines+markers", connectgaps: false,
      line: { width: 5, color: ink }, marker: { size: 6, symbol: "triangle-down", color: ink },
      name: `clock held down: ${reason}`, legendgroup: `held ${reason}`, showlegend: once(`held ${reason}`),
      hovertemplate: `%{x:.2f} s: clock held down by ${escaped(reason)}<br>%{customdata}<extra></extra>`,
    });
  }
  return found;
}

/** Words for plotly's own markup. */
function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** How much larger than 16 px the page writes, as it does on a large screen. */
const larger = () => parseFloat(getComputedStyle(document.body).fontSize) / 16;

function layoutOf(runs, width) {
  const scale = larger();
  const ink = themed("--ink");
  const grid = themed("--line");
  const layout = {
    height: scale * (PANEL_PX * runs.length + AROUND_PX), margin: { l: 60 * scale, r: 12 * scale, t: 34 * scale, b: 48 * scale },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: ink, size: 13 * scale, family: "inherit" }, hovermode: "closest", dragmode: "zoom",
    showlegend: false, legend: { orientation: "h", y: -0.16 / runs.length, yanchor: "top", font: { size: 12 * scale } },
    hoverlabel: { bgcolor: themed("--card"), bordercolor: grid, font: { color: ink } },
    xaxis: {
      title: { text: "time since rank 0 began [s]" }, gridcolor: grid, zerolinecolor: grid,
      anchor: runs.length > 1 ? `y${2 * (runs.length - 1) + 1}` : "y",
    },
    shapes: [], annotations: [],
  };
  const height = (1 - BETWEEN * (runs.length - 1)) / runs.length;
  runs.forEach(({ run, trace }, number) => {
    const top = 1 - number * (height + BETWEEN);
    const domain = [Math.max(0, top - height), top];
    const marks = number ? `yaxis${2 * number + 1}` : "yaxis";
    const axis = number ? `y${2 * number + 1}` : "y";
    layout[marks] = { domain, range: [0, 1], visible: false, fixedrange: true };
    layout[`yaxis${2 * number + 2}`] = {
      overlaying: axis, side: "left", anchor: "x", rangemode: "tozero", tickmode: "auto", gridcolor: grid, zerolinecolor: grid,
      title: { text: trace.boards ? "power of one GPU [W]" : "power of GPUs [W]" },
    };
    for (const at of trace.window) {
      layout.shapes.push({
        type: "line", xref: "x", yref: axis, x0: at / MS, x1: at / MS, y0: 0, y1: 1,
        line: { color: ink, width: 1.2, dash: "dot" },
      });
    }
    layout.annotations.push({
      text: escaped(run), xref: "paper", yref: "paper", x: 0, y: top, xanchor: "left", yanchor: "bottom",
      showarrow: false, font: { size: width < NARROW_PX ? 9 : 13 * scale, color: ink },
    });
  });
  return layout;
}

/** What is drawn, in words: for who does not see it. */
function traceWords(run, trace) {
  const lines = trace.boards
    ? trace.boards.map((board) => watts(board.w).filter((one) => one !== null))
    : trace.band ? [watts(trace.band.least), watts(trace.band.greatest)].map((line) => line.filter((one) => one !== null)) : [];
  const all = lines.flat();
  if (!all.length) return `${run}: no power was read`;
  const least = all.reduce((a, b) => Math.min(a, b));
  const most = all.reduce((a, b) => Math.max(a, b));
  const count = trace.boards?.length ?? trace.band.boards;
  const held = trace.held.length ? `clocks were held down ${trace.held.length} times` : "no clock was held down where that was read";
  return `Power over time of ${count} GPU${count === 1 ? "" : "s"} of run ${run}, from ${least} to ${most} W; phases ${Object.keys(trace.phases).join(", ")}; ${held}.`;
}

/** What is drawn, as CSV: a row a point. */
function traceCsv(runs) {
  const rows = [["run_id", "host", "device", "of", "time [s]", "power [W]"]];
  for (const { run, trace } of runs) {
    for (const board of trace.boards ?? []) {
      const at = seconds(board.t);
      watts(board.w).forEach((power, i) => rows.push([run, board.host, board.gpu, "GPU", String(at[i]), String(power ?? "")]));
    }
    for (const node of trace.nodes) {
      const at = seconds(node.t);
      watts(node.w).forEach((power, i) => rows.push([run, node.host, "", "node", String(at[i]), String(power ?? "")]));
    }
    if (trace.band) {
      const step = (trace.band.to - trace.band.from) / trace.band.mean.length;
      for (const name of ["least", "mean", "greatest"]) {
        watts(trace.band[name]).forEach((power, i) => {
          const at = (trace.band.from + (i + 0.5) * step) / MS;
          rows.push([run, "", "", `${name} of ${trace.band.boards} GPUs`, at.toFixed(3), String(power ?? "")]);
        });
      }
    }
  }
  return csv(rows, [true, true, true, true, false, false]);
}

/** The names of all that is drawn, each a switch, in a list that breaks where the screen ends. */
function legendOf(plot, library) {
  const names = new Map();
  plot.data.forEach((one, at) => {
    if (one.showlegend === false && !one.legendgroup?.match(/^(phase|held) | band$/)) return;
    const key = `${one.legendgroup?.match(/^(phase|held) | band$/) ? one.legendgroup : at} ${one.name}`;
    const known = names.get(key) ?? { name: one.name, group: one.legendgrouptitle?.text ?? "", at: [], colour: one.fillcolor && one.line?.width === 0 ? one.fillcolor : one.line?.color };
    known.at.push(at);
    names.set(key, known);
  });
  const groups = new Map();
  for (const each of names.values()) {
    if (/^least of/.test(each.name)) continue;
    groups.set(each.group, [...(groups.get(each.group) ?? []), each]);
  }
  const items = [...groups].flatMap(([group, members]) => [
    group ? made("li", { class: "group" }, group) : null,
    ...members.map(({ name, at, colour: ink }) => {
      const seen = plot.data[at[0]].visible !== "legendonly";
      const swatch = made("span", { class: "swatch" });
      swatch.style.background = ink;
      const button = made("button", { type: "button", "aria-pressed": String(seen) }, swatch, name);
      button.addEventListener("click", () => {
        const on = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(on));
        library.restyle(plot, { visible: on ? true : "legendonly" }, at);
      });
      return made("li", {}, button);
    }),
  ]);
  return made("ul", { class: "legend-list", "aria-label": "What is drawn; a click hides or shows it" }, items);
}

/** Draws runs one above the other on one time axis, with buttons for what can be done with it. */
async function drawTraces(place, runs, name) {
  const plot = made("div", { class: "trace", role: "img", "aria-label": runs.map(({ run, trace }) => traceWords(run, trace)).join(" ") });
  place.append(plot);
  const library = await plotly();
  // Drawn before it has a place on the page, it would have no width.
  for (let frames = 0; !plot.isConnected && frames < MOST_FRAMES; frames++) await new Promise(requestAnimationFrame);
  if (!plot.isConnected) return;
  const groups = new Set();
  const draw = () => {
    groups.clear();
    const data = runs.flatMap(({ trace }, number) => tracesOf(trace, number, groups));
    return library.react(plot, data, layoutOf(runs, plot.clientWidth), { displayModeBar: false, responsive: true });
  };
  await draw();
  // Plotly takes one picture at a time.
  let taken = Promise.resolve();
  const picture = (format) => {
    // As it is seen, with the names that stand beside it here; on paper's white where ink is dark.
    const shown = { data: plot.data, layout: { ...plot.layout, showlegend: true, autosize: false, paper_bgcolor: themed("--paper") } };
    const lines = plot.data.filter((one) => one.visible !== false && one.showlegend !== false).length;
    const scale = larger();
    const size = { width: 1400 * scale, height: scale * (PANEL_PX * runs.length + AROUND_PX + 24 * lines) };
    taken = taken.then(() => library.downloadImage(shown, { format, filename: name, ...size })).catch((error) => say(`no picture: ${error.message ?? error}`));
  };
  const button = (words, act) => made("button", { type: "button", on: { click: act } }, words);
  place.append(
    legendOf(plot, library),
    made("div", { class: "tools" },
      button("Whole time", () => library.relayout(plot, { "xaxis.autorange": true, ...Object.fromEntries(runs.map((_, i) => [`yaxis${2 * i + 2}.autorange`, true])) })),
      button("SVG", () => picture("svg")),
      button("PNG", () => picture("png")),
      button("CSV", () => save(`${name}.csv`, traceCsv(runs), "text/csv;charset=utf-8")))
  );
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot.isConnected && draw());
  plot.dataset.drawn = "yes";
}
