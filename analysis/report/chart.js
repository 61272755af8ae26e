// Draws a figure by plotly over its picture, once it comes into view; without it the picture stands.
// A colour of a plot is the name of a variable of the page's style, as "@plot-3" or "@ink/0.2".
// The library comes from traces.js, files from downloads.js.
const joulegridCharts = (() => {
  const NARROW_PX = 640, PANEL_PX = 300, BAR_PX = 24, NAME_PX = 15, FEW_VALUES = 8, LEAST_SPREAD = 3;
  const AXIS = /^[xy]axis\d*$/;
  const charts = new Map();
  const everywhere = new Map();

  // ---- colours of the page
  function colours(element) {
    const style = getComputedStyle(element);
    const probe = document.createElement("canvas").getContext("2d");
    const known = new Map();
    const channels = (value) => {
      probe.fillStyle = "#000000";
      probe.fillStyle = value;
      const text = probe.fillStyle;
      if (!text.startsWith("#")) return text.match(/[\d.]+/g).slice(0, 3).join(",");
      return [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16)).join(",");
    };
    return (name) => {
      if (!known.has(name)) {
        const [variable, opacity] = name.slice(1).split("/");
        const value = style.getPropertyValue(`--${variable}`).trim() || style.color;
        known.set(name, `rgba(${channels(value)},${opacity ?? 1})`);
      }
      return known.get(name);
    };
  }

  function coloured(value, colour) {
    if (typeof value === "string") return value.startsWith("@") ? colour(value) : value;
    if (Array.isArray(value)) return typeof value[0] === "number" ? value : value.map((each) => coloured(each, colour));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, coloured(each, colour)]));
  }

  // ---- filters: an axis of marks to the values that are shown; one that is not there shows all
  const allowed = (filter, axes) =>
    Object.entries(axes).every(([axis, value]) => !filter.has(axis) || filter.get(axis).has(value));

  function axesOf(trace, index) {
    const axes = trace.meta?.axes;
    return Array.isArray(axes) ? axes[index] : (axes ?? {});
  }

  function valuesByAxis(plots) {
    const found = new Map();
    for (const plot of plots) {
      for (const trace of plot.data) {
        const axes = trace.meta?.axes;
        for (const own of Array.isArray(axes) ? axes : axes ? [axes] : []) {
          for (const [axis, value] of Object.entries(own)) {
            if (!found.has(axis)) found.set(axis, new Set());
            found.get(axis).add(value);
          }
        }
      }
    }
    for (const [axis, values] of found) if (values.size < 2) found.delete(axis);
    return found;
  }

  const filters = (chart) => [everywhere, chart.filter];
  const sideways = (trace) => trace.orientation === "h";

  // Names of points stand on the side where there is room.
  function towardsMiddle(chart, trace) {
    const key = trace.xaxis.replace("x", "xaxis");
    const scale = (chart.scales.get(key) ?? chart.plot.layout[key].type) === "log" ? Math.log : Number;
    const all = chart.plot.data.filter((other) => other.xaxis === trace.xaxis).flatMap((other) => other.x).filter((at) => at !== null).map(scale);
    const middle = (all.reduce((a, b) => Math.min(a, b)) + all.reduce((a, b) => Math.max(a, b))) / 2;
    return trace.x.map((at) => (scale(at) > middle ? "top left" : "top right"));
  }

  // Names of points stand where none lies on another; who points at a mark without one is told it all the same.
  const SIDES = ["top right", "top left", "bottom right", "bottom left", "top center", "bottom center"];
  function boxAt([x, y], [wide, high], side, reach) {
    const left = side.endsWith("right") ? x + reach : side.endsWith("left") ? x - reach - wide : x - wide / 2;
    const top = side.startsWith("top") ? y - reach - high : y + reach;
    return [left, top, left + wide, top + high];
  }

  async function placeNames(chart, Plotly) {
    const { data, _fullLayout: full } = chart.canvas;
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = `${full.font.size}px ${full.font.family}`;
    const taken = [];
    const apart = (box) => box[0] >= 0 && box[2] <= chart.width
      && taken.every((other) => box[2] <= other[0] || box[0] >= other[2] || box[3] <= other[1] || box[1] >= other[3]);
    chart.unnamed = 0;
    for (const [number, trace] of data.entries()) {
      if (trace.visible === false || !trace.mode?.endsWith("+text")) continue;
      const x = full[trace.xaxis.replace("x", "xaxis")], y = full[trace.yaxis.replace("y", "yaxis")];
      const sides = [...trace.textposition];
      const text = trace.text.map((words, index) => {
        if (!words || trace.x[index] === null || trace.y[index] === null) return words;
        const at = [x._offset + x.d2p(trace.x[index]), y._offset + y.d2p(trace.y[index])];
        const size = [pen.measureText(asText(words)).width + 4, full.font.size * 1.3];
        const side = [sides[index], ...SIDES].find((one) => apart(boxAt(at, size, one, 3)));
        if (!side) { chart.unnamed += 1; return ""; }
        sides[index] = side;
        taken.push(boxAt(at, size, side, 3));
        return words;
      });
      await Plotly.restyle(chart.canvas, { textposition: [sides], text: [text] }, [number]);
    }
  }

  // ---- what is drawn now
  function tracesNow(chart) {
    const made = [];
    for (const trace of chart.plot.data) {
      const across = sideways(trace) ? "x" : "y";
      const seen = trace.x.map((_, index) => filters(chart).every((filter) => allowed(filter, axesOf(trace, index))));
      const whole = seen.every(Boolean);
      const now = { ...trace, visible: !chart.hidden.has(trace.name), showlegend: false };
      if (!whole) now[across] = trace[across].map((value, index) => (seen[index] ? value : null));
      if (now.text) Object.assign(now, { cliponaxis: false, textposition: towardsMiddle(chart, now) });
      made.push(now);
      const printed = trace.meta?.printed;
      if (printed) {
        const kept = printed.filter((_, index) => seen[index]);
        made.push({
          type: "scatter", mode: "text", hoverinfo: "skip", showlegend: false, visible: now.visible,
          xaxis: trace.xaxis, yaxis: trace.yaxis, cliponaxis: false,
          text: kept.map(([text]) => (across === "x" ? `\u00a0\u00a0${text}` : text)),
          [across]: kept.map((one) => one[2]), [across === "x" ? "y" : "x"]: kept.map((one) => one[1]),
          textposition: across === "x" ? "middle right" : "top center",
        });
      }
    }
    return made;
  }

  function wrapped(text, most) {
    const lines = [];
    for (const line of text.split("<br>")) {
      let now = "";
      for (const word of line.split(/(?<=[ -])/)) {
        if (now && (now + word).trimEnd().length > most) { lines.push(now.trimEnd()); now = ""; }
        now += word;
      }
      lines.push(now);
    }
    return lines.join("<br>");
  }

  // A range in which what is printed behind a bar has room; undefined where nothing is.
  function roomy(traces, name, scale, width, size) {
    const texts = traces.filter((trace) => trace.visible && trace.mode === "text" && trace.xaxis === name && trace.textposition === "middle right");
    const printed = texts.flatMap((trace) => trace.x.map((at, index) => [at, trace.text[index].length * size * 0.62 + size]));
    if (!printed.length) return undefined;
    const bars = traces.filter((trace) => trace.visible && trace.type === "bar" && trace.xaxis === name);
    const values = bars.flatMap((trace) => trace.x).filter((value) => value !== null);
    const least = values.reduce((a, b) => Math.min(a, b), Infinity);
    if (least < 0) return undefined;
    const to = scale === "log" ? Math.log10 : (value) => value;
    const from = scale === "log" ? Math.floor(Math.log10(least)) : 0;
    const end = printed.reduce((most, [at, wide]) => Math.max(most, (to(at) - from) / Math.max(0.25, 1 - wide / width)), 0);
    return [from, from + end * 1.01];
  }

  function layoutNow(chart, width, traces) {
    const { meta, ...given } = chart.plot.layout;
    const layout = structuredClone(given);
    const size = Math.max(11, Math.round(parseFloat(getComputedStyle(chart.live).fontSize) * 0.78));
    const scale = size / 12;
    const columns = Math.max(1, Math.min(meta.columns, Math.floor(width / (210 * scale)), width < NARROW_PX ? 1 : meta.columns));
    const rows = Math.ceil(meta.panels / columns);
    const letters = columns < meta.columns || width < NARROW_PX ? Math.max(12, Math.floor(width / (21 * scale))) : 40;
    const heights = Array.from({ length: rows }, (_, row) =>
      Math.max(...Array.from({ length: columns }, (_, column) => row * columns + column)
        .filter((index) => index < meta.panels)
        .map((index) => {
          const names = layout[`yaxis${index ? index + 1 : ""}`].ticktext;
          if (!meta.rows[index] || !meta.sideways[index]) return PANEL_PX * scale * Math.max(1, Math.min(1.6, width / 1100));
          const lines = Math.max(...names.map((name) => wrapped(name, letters).split("<br>").length));
          return scale * (40 + Math.max(meta.rows[index] * BAR_PX, names.length * (lines * NAME_PX + 8)));
        })));
    const gap = columns > 1 ? 0.32 * meta.between + 0.06 : 0;
    const share = (1 - gap * (columns - 1)) / columns;
    // What names take beside a panel is not known before it is drawn: a title starts at its edge.
    const room = Math.max(14, Math.floor((width * share * (columns > 1 ? 1 : 0.7)) / (0.66 * size)));
    for (const title of layout.annotations) title.text = `<b>${wrapped(title.text.replace(/^<b>|<\/b>$/g, ""), room)}</b>`;
    const lines = Math.max(1, ...layout.annotations.map((title) => title.text.split("<br>").length)) - 1;
    const between = (78 + 16 * lines) * scale, top = (26 + 16 * lines) * scale;
    const inner = heights.reduce((sum, each) => sum + each, 0) + between * (rows - 1);
    let below = inner;
    heights.forEach((height, row) => {
      for (let column = 0; column < columns && row * columns + column < meta.panels; column += 1) {
        const number = row * columns + column ? row * columns + column + 1 : "";
        const x = layout[`xaxis${number}`], y = layout[`yaxis${number}`];
        x.domain = [column * (share + gap), column * (share + gap) + share];
        y.domain = [Math.max(0, (below - height) / inner), Math.min(1, below / inner)];
        x.anchor = `y${number}`;
        y.anchor = `x${number}`;
      }
      below -= height + between;
    });
    for (const [key, axis] of Object.entries(layout)) {
      if (!AXIS.test(key)) continue;
      Object.assign(axis, {
        automargin: true, gridcolor: "@ink/0.14", linecolor: "@ink", tickcolor: "@ink", zerolinecolor: "@ink/0.5",
        showline: key.startsWith("x") || !axis.ticktext, ticks: axis.ticktext && key.startsWith("y") ? "" : "outside",
        showgrid: axis.meta === "value", tickfont: { size }, exponentformat: "SI", separatethousands: true,
      });
      const across = key.startsWith("x");
      const long = across ? (axis.domain[1] - axis.domain[0]) * width * (columns > 1 ? 1 : 0.72) : (axis.domain[1] - axis.domain[0]) * inner;
      axis.title = { text: wrapped(axis.title.text, Math.floor(long / (0.56 * (size + 1)))), font: { size: size + 1 }, standoff: 8 };
      if (axis.ticktext && key.startsWith("y")) {
        axis.ticktext = axis.ticktext.map((name) => wrapped(name, letters));
        if (columns < meta.columns) axis.showticklabels = true;
      }
      if (chart.scales.has(key)) { axis.type = chart.scales.get(key); delete axis.range; delete axis.rangemode; }
      if (axis.type === "log") Object.assign(axis, { dtick: axis.ticktext ? undefined : "D2", exponentformat: "power" });
      if (across && !axis.range) axis.range = roomy(traces, key.replace("axis", ""), axis.type, (axis.domain[1] - axis.domain[0]) * width * 0.8, size);
      if (chart.ranges.has(key)) axis.range = [...chart.ranges.get(key)];
      // Without a word on it the library keeps the range that it had.
      axis.autorange = !axis.range;
      delete axis.meta;
    }
    if (meta.simulated) {
      for (let index = 0; index < meta.panels; index += 1) {
        const number = index ? index + 1 : "";
        layout.annotations.push({
          text: "SIMULATED", showarrow: false, textangle: -20, opacity: 0.3, xref: `x${number} domain`, yref: `y${number} domain`,
          x: 0.5, y: 0.5, font: { size: (columns > 1 ? 18 : 30) * scale, color: "@plot-5", weight: 700 },
        });
      }
    }
    layout.shapes = layout.shapes.map((shape) => ({ ...shape, visible: !chart.hidden.has(shape.name) }));
    return {
      ...layout, width, height: Math.round(inner + top + 62 * scale), barmode: "overlay", showlegend: false,
      margin: { l: 12, r: 46 * scale, t: top, b: 50 * scale }, hovermode: "closest",
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(chart.live).fontFamily, size, color: "@ink" },
      hoverlabel: { bgcolor: "@paper", bordercolor: "@ink", font: { color: "@ink", size: size + 1 }, align: "left", namelength: -1 },
      uirevision: "same", datarevision: (chart.revision = (chart.revision ?? 0) + 1),
    };
  }

  const CONFIG = {
    displaylogo: false, displayModeBar: false, responsive: false, showTips: false, showLink: false, scrollZoom: false,
    plotlyServerURL: "", topojsonURL: "", doubleClick: "reset",
  };

  // Draws what was asked for last: of several wishes at once only the newest counts.
  async function draw(chart) {
    chart.wanted = (chart.wanted ?? 0) + 1;
    if (chart.drawing) return;
    chart.drawing = true;
    try {
      for (let done = 0; done !== chart.wanted; ) {
        done = chart.wanted;
        await drawOnce(chart);
      }
    } finally {
      chart.drawing = false;
    }
  }

  async function drawOnce(chart) {
    const Plotly = await plotly();
    const width = Math.floor(chart.live.clientWidth);
    // A figure of a part of the page that is not shown is drawn when it is.
    if (!width) return;
    chart.width = width;
    const colour = colours(chart.live);
    const traces = tracesNow(chart);
    const layout = coloured(layoutNow(chart, width, traces), colour);
    // The page's own rules for pictures would stretch it.
    chart.canvas.style.setProperty("--chart-width", `${layout.width}px`);
    chart.canvas.style.setProperty("--chart-height", `${layout.height}px`);
    await Plotly.react(chart.canvas, coloured(traces, colour), layout, CONFIG);
    await placeNames(chart, Plotly);
    if (!chart.bound) {
      chart.bound = true;
      chart.canvas.on("plotly_relayout", (change) => keepRanges(chart, change));
    }
    chart.host.dataset.drawn = "true";
    note(chart);
  }

  function keepRanges(chart, change) {
    for (const [key, value] of Object.entries(change)) {
      const [axis, what] = key.split(".");
      if (!AXIS.test(axis)) continue;
      if (what === "autorange") chart.ranges.delete(axis);
      if (what?.startsWith("range")) chart.ranges.set(axis, [...chart.canvas._fullLayout[axis].range]);
    }
  }

  function note(chart) {
    const marks = chart.plot.data.flatMap((trace) => trace.x.map((_, index) => [trace, index]))
      .filter(([trace, index]) => trace[sideways(trace) ? "x" : "y"][index] !== null && trace.hoverinfo !== "skip");
    const seen = marks.filter(([trace, index]) => !chart.hidden.has(trace.name)
      && filters(chart).every((filter) => allowed(filter, axesOf(trace, index))));
    const told = seen.length === marks.length ? [] : [`${seen.length} of ${marks.length} values shown`];
    if (chart.unnamed) told.push(`${chart.unnamed} name${chart.unnamed === 1 ? "" : "s"} left out for want of room: pointing at a mark tells its name`);
    chart.status.textContent = told.join("; ");
  }

  // ---- the legend and the controls, reachable by keyboard
  function element(tag, properties = {}, ...children) {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(properties)) {
      if (key in made && key !== "role") made[key] = value; else made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  }

  function button(text, action, properties = {}) {
    const made = element("button", { type: "button", textContent: text, ...properties });
    made.addEventListener("click", () => action(made));
    return made;
  }

  const SYMBOLS = {
    circle: "M8 4a4 4 0 1 0 .01 0Z", square: "M4 4h8v8h-8Z", "triangle-up": "M8 3l5 9h-10Z", diamond: "M8 3l5 5-5 5-5-5Z",
    "triangle-down": "M8 13l5-9h-10Z", cross: "M6 3h4v3h3v4h-3v3h-4v-3h-3v-4h3Z", x: "M4 3l4 4 4-4 1 1-4 4 4 4-1 1-4-4-4 4-1-1 4-4-4-4Z",
  };

  function swatch(trace) {
    const space = "http://www.w3.org/2000/svg";
    const picture = document.createElementNS(space, "svg");
    for (const [key, value] of Object.entries({ viewBox: "-6 0 28 16", width: 28, height: 16, "aria-hidden": "true" })) picture.setAttribute(key, value);
    const add = (path, style) => {
      const made = document.createElementNS(space, "path");
      made.setAttribute("d", path);
      Object.assign(made.style, style);
      picture.append(made);
    };
    const variable = (name) => `var(--${name.slice(1).split("/")[0]})`;
    if (trace.type === "path" || trace.fill) add("M-4 3h24v10h-24Z", { fill: variable(trace.fillcolor), fillOpacity: 0.35 });
    else if (trace.type === "bar") add("M-4 3h24v10h-24Z", { fill: variable(trace.marker.color) });
    if (trace.marker?.pattern?.shape) add("M-4 13l8-10M4 13l8-10M12 13l8-10", { stroke: "var(--card)", strokeWidth: 1.5, fill: "none" });
    if (trace.line && (trace.mode ?? "lines").includes("lines") && trace.line.width) {
      const dashes = { dash: "5 3", dot: "2 2", dashdot: "5 2 1 2" }[trace.line.dash] ?? "none";
      add("M-5 8h26", { stroke: variable(trace.line.color), strokeWidth: 2, strokeDasharray: dashes, fill: "none" });
    }
    const symbol = trace.marker?.symbol;
    const named = (Array.isArray(symbol) ? symbol[0] : symbol)?.replace("-open", "");
    if (trace.type !== "bar" && named) add(SYMBOLS[named] ?? SYMBOLS.circle, { fill: variable(trace.marker.color) });
    return picture;
  }

  function legend(chart) {
    const entries = new Map();
    for (const trace of chart.plot.data) if (trace.name && !(trace.fill === undefined && trace.hoverinfo === "skip")) entries.set(trace.name, entries.get(trace.name) ?? trace);
    for (const shape of chart.plot.layout.shapes) if (shape.name && !entries.has(shape.name)) entries.set(shape.name, shape);
    const list = element("ul", { className: "chart-legend", "aria-label": "Legend: a button hides or shows its series" });
    if (entries.size < 2 && !chart.plot.layout.shapes.length) return list;
    for (const [name, trace] of entries) {
      const made = button("", () => {
        const hide = !chart.hidden.has(name);
        if (hide) chart.hidden.add(name); else chart.hidden.delete(name);
        made.setAttribute("aria-pressed", String(!hide));
        draw(chart);
      }, { "aria-pressed": "true" });
      made.append(swatch(trace), element("span", { textContent: name }));
      list.append(element("li", {}, made));
    }
    return list;
  }

  // Logarithmic scales serve where all values are above 0 and spread widely.
  function serves(chart, key) {
    const axis = chart.plot.layout[key];
    if (axis.ticktext && axis.tickvals?.[0] === 0) return false;
    if (axis.type === "log") return true;
    // Over time one looks for moments, not for proportions.
    const letter = key[0], name = key.replace("axis", "");
    const own = chart.plot.data.filter((trace) => trace[`${letter}axis`] === name);
    if (own.some((trace) => trace.base || trace.fill?.startsWith("tozero"))) return false;
    if (axis.meta === "argument" && own.some((trace) => trace.mode === "lines")) return false;
    const values = own.flatMap((trace) => trace[letter]).filter((value) => value !== null);
    const least = values.reduce((a, b) => Math.min(a, b), Infinity);
    return least > 0 && values.reduce((a, b) => Math.max(a, b), 0) / least >= LEAST_SPREAD;
  }

  function scaleButtons(chart) {
    const named = new Map();
    for (const [key, axis] of Object.entries(chart.plot.layout)) {
      if (!AXIS.test(key) || !serves(chart, key)) continue;
      const title = axis.title.text || (key.startsWith("x") ? "across" : "up");
      named.set(title, [...(named.get(title) ?? []), key]);
    }
    return [...named].map(([title, keys]) => button(`log: ${asText(title)}`, (made) => {
      const log = made.getAttribute("aria-pressed") !== "true";
      for (const key of keys) { chart.scales.set(key, log ? "log" : "linear"); chart.ranges.delete(key); }
      made.setAttribute("aria-pressed", String(log));
      draw(chart);
    }, { "aria-pressed": String(chart.plot.layout[keys[0]].type === "log"), "data-scale": keys.join(" ") }));
  }

  function zoom(chart, by) {
    for (const key of Object.keys(chart.plot.layout)) {
      const axis = AXIS.test(key) && chart.canvas._fullLayout?.[key];
      if (!axis || (axis.tickvals && axis.tickvals[0] === 0)) continue;
      const [from, to] = axis.range, middle = (from + to) / 2;
      chart.ranges.set(key, [middle + (from - middle) * by, middle + (to - middle) * by]);
    }
    draw(chart);
  }

  function filterControls(axes, filter, changed) {
    const groups = [...axes].map(([axis, values]) => {
      const sorted = [...values].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
      const set = (chosen) => {
        if (chosen.length === sorted.length) filter.delete(axis); else filter.set(axis, new Set(chosen));
        changed();
      };
      const group = element("fieldset", { "data-axis": axis }, element("legend", { textContent: axis }));
      if (sorted.length > FEW_VALUES) {
        const select = element("select", { "aria-label": axis }, element("option", { value: "", textContent: "all" }),
          ...sorted.map((value) => element("option", { value, textContent: value })));
        select.addEventListener("change", () => set(select.value ? [select.value] : sorted));
        group.append(select);
      } else {
        for (const value of sorted) {
          const box = element("input", { type: "checkbox", checked: true, value });
          box.addEventListener("change", () => set([...group.querySelectorAll("input:checked")].map((one) => one.value)));
          group.append(element("label", {}, box, ` ${value}`));
        }
      }
      return group;
    });
    return groups;
  }

  const asText = (markup) => new DOMParser().parseFromString(markup.replace(/<br>/g, "\n"), "text/html").documentElement.textContent;

  function shownCsv(chart) {
    const axes = [...valuesByAxis([chart.plot]).keys()];
    const rows = [["panel", "series", "of", "argument", "value", "low", "high", ...axes]];
    for (const trace of tracesNow(chart)) {
      if (!trace.visible || !trace.meta || trace.hoverinfo === "skip") continue;
      const across = sideways(trace) ? "x" : "y", along = across === "x" ? "y" : "x";
      const named = chart.plot.layout[trace[`${across}axis`].replace(across, `${across}axis`)];
      const arguments_ = chart.plot.layout[trace[`${along}axis`].replace(along, `${along}axis`)];
      trace[across].forEach((value, index) => {
        if (value === null) return;
        const error = trace[`error_${across}`], known = error && (error.array[index] || error.arrayminus[index]);
        const place = arguments_.ticktext ? asText(arguments_.ticktext[Math.round(trace[along][index])] ?? "") : String(trace[along][index]);
        rows.push([asText(named.title.text), trace.name, asText(trace.hovertext?.[index]?.split("<br>")[0] ?? ""), place.replace(/\n/g, " "), String(value),
          known ? String(value - error.arrayminus[index]) : "", known ? String(value + error.array[index]) : "", ...axes.map((axis) => axesOf(trace, index)[axis] ?? "")]);
      });
    }
    return csv(rows, [true, true, true, true, false, false, false, ...axes.map(() => true)]);
  }

  function valueTable(chart) {
    const details = element("details", { className: "chart-values" }, element("summary", { textContent: "Values in words" }));
    details.addEventListener("toggle", () => {
      if (!details.open || details.querySelector("ul")) return;
      const list = element("ul");
      for (const trace of chart.plot.data) {
        for (const said of trace.hovertext ?? []) {
          list.append(element("li", { textContent: asText(said).replace(/\n/g, "; ") }));
        }
      }
      if (!list.children.length) list.append(element("li", { textContent: "Too many readings to list: the tables have them." }));
      details.append(list);
    });
    return details;
  }

  // ---- one figure
  // As it is seen, on the page's ground, with the names that stand beside it here. Plotly takes one picture at a time.
  function picture(chart, format) {
    chart.taken = (chart.taken ?? Promise.resolve()).then(async () => {
      const library = await plotly();
      const { data, layout } = chart.canvas;
      const names = data.filter((one) => one.showlegend && one.visible !== false).length;
      const ground = getComputedStyle(document.documentElement).getPropertyValue("--paper").trim();
      const legend = { orientation: "h", yref: "container", yanchor: "bottom", y: 0, font: { color: layout.font?.color } };
      const shown = { data, layout: { ...layout, showlegend: names > 0, legend, paper_bgcolor: ground } };
      const room = 24 * Math.min(names, 12);
      const margin = { ...layout.margin, b: (layout.margin?.b ?? 60) + room };
      shown.layout.margin = margin;
      await library.downloadImage(shown, { format, filename: chart.host.dataset.chart, width: chart.width, height: chart.canvas.clientHeight + room });
    }).catch((error) => say(`no picture: ${error.message ?? error}`));
  }

  function build(chart) {
    const { host, plot } = chart;
    chart.canvas = element("div", { className: "chart-canvas", role: "img", "aria-label": host.dataset.alt ?? "" });
    chart.live = element("div", { className: "chart-live" }, chart.canvas);
    chart.status = element("p", { className: "chart-status", role: "status" });
    const tools = element("div", { className: "chart-tools", role: "group", "aria-label": "Scale, zoom and files" },
      ...scaleButtons(chart), button("zoom in", () => zoom(chart, 0.6), { "data-zoom": "in" }),
      button("zoom out", () => zoom(chart, 1 / 0.6), { "data-zoom": "out" }),
      button("whole", () => { chart.ranges.clear(); draw(chart); }, { "data-zoom": "whole" }),
      ...["svg", "png"].map((format) => button(format.toUpperCase(), () => picture(chart, format))),
      button("CSV", () => save(`${host.dataset.chart}.csv`, shownCsv(chart), "text/csv;charset=utf-8")));
    const axes = valuesByAxis([plot]);
    const labels = plot.layout.meta.labels.join("; ");
    if (labels) chart.live.prepend(element("p", { className: "chart-labels", textContent: labels[0].toUpperCase() + labels.slice(1) + "." }));
    chart.live.append(legend(chart), tools);
    if (axes.size) {
      chart.live.append(element("details", { className: "chart-filter" }, element("summary", { textContent: "Filter this figure" }),
        ...filterControls(axes, chart.filter, () => draw(chart))));
    }
    chart.live.append(chart.status, valueTable(chart));
    host.append(chart.live);
    new ResizeObserver(() => {
      if (Math.abs(chart.live.clientWidth - chart.width) < 2) return;
      clearTimeout(chart.timer);
      chart.timer = setTimeout(() => draw(chart), 80);
    }).observe(chart.live);
  }

  async function show(host, plot) {
    try {
      await plotly();
    } catch {
      // The picture stands: it says all but what one points at.
      return null;
    }
    charts.get(host)?.live.remove();
    const chart = { host, plot, filter: new Map(), hidden: new Set(), scales: new Map(), ranges: new Map(), width: 0 };
    charts.set(host, chart);
    build(chart);
    host.dataset.drawn = "true";
    await draw(chart);
    return chart;
  }

  function forget(host) {
    const chart = charts.get(host);
    if (!chart) return;
    window.Plotly.purge(chart.canvas);
    chart.live.remove();
    charts.delete(host);
    delete host.dataset.drawn;
  }

  const idle = () => [...charts.values()].every((chart) => !chart.drawing && Math.abs(chart.live.clientWidth - chart.width) < 2);

  const redraw = () => { for (const chart of charts.values()) draw(chart); };

  // ---- the page
  function start() {
    const stored = new Map();
    for (const node of document.querySelectorAll("script[data-chart-of]")) {
      const host = document.querySelector(`[data-chart="${CSS.escape(node.dataset.chartOf)}"]`);
      if (host) stored.set(host, JSON.parse(node.textContent));
    }
    const watch = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting || charts.has(entry.target)) continue;
        watch.unobserve(entry.target);
        show(entry.target, stored.get(entry.target));
      }
    }, { rootMargin: "400px" });
    for (const host of stored.keys()) watch.observe(host);
    const place = document.getElementById("chart-filters");
    const axes = valuesByAxis(stored.values());
    if (place && axes.size) {
      place.append(element("details", { className: "chart-filter" }, element("summary", { textContent: "Filter all figures" }),
        ...filterControls(axes, everywhere, redraw)));
    }
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    new MutationObserver(redraw).observe(document.documentElement, { attributes: true, attributeFilter: ["class", "data-theme", "style"] });
  }

  start();
  return { show, forget, redraw, idle };
})();
