// The page of one run, and of two beside each other: laid out when it is opened.

const UNITS_OF_ENERGY = ["J", "W"];
// The table that has one row a run, of its energies first of all.
const MAIN = "runs";
const DASH = "\u2013";

/** Label, value and unit of each column of a run's one-row tables, by what it is. */
function facts(details, known) {
  return Object.entries(known.tables).flatMap(([table, { columns, single }]) => {
    const own = single && details.one[table];
    if (!own || !own.cells[0]?.length) return [];
    const why = new Map(own.why.map(([, at, text]) => [at, text]));
    return columns.map((column, at) => ({
      table, column, text: own.cells[at][0], key: own.keys[at][0], why: why.get(at) ?? "",
    }));
  });
}

function unitOf(column) {
  return ["", "1", "1/s"].includes(column.unit) || column.type === "share" ? "" : ` ${column.unit}`;
}

/** A list of labels and values; what is missing says why. */
function factList(told) {
  return made("dl", { class: "facts" }, told.flatMap(({ column, text, why }) => [
    made("dt", { title: `${column.name}: ${column.meaning}` }, column.label),
    made("dd", {}, text === DASH || why
      ? [text, why && why !== text ? made("span", { class: "evidence" }, ` ${why}`) : null]
      : `${text}${unitOf(column)}`),
  ]));
}

function part(title, ...inner) {
  return made("section", { class: "part" }, made("h3", {}, title), ...inner);
}

/** A run's rows of a table with several a run. */
function rowsPart(known, table, own) {
  const { title, columns } = known.tables[table];
  const filled = columns.map((column, at) => ({ column, at })).filter(({ at }) => own.cells[at].some((text) => text !== DASH));
  const all = unpackedRows({ columns: columns.map(({ name }) => name), ...own }, columns);
  const head = filled.map(({ column }) => made("th", { scope: "col", class: column.type, title: `${column.name}: ${column.meaning}` },
    column.label, unitOf(column) && !column.label.split(" ").includes(column.unit) ? made("span", { class: "unit" }, unitOf(column)) : null));
  const body = made("tbody", {}, all.map((row) => made("tr", {}, filled.map(({ column, at }) =>
    made("td", { class: column.type, title: row.why[at] }, row.cells[at])))));
  return made("details", { class: "rows" }, made("summary", {}, `${title}: ${all.length} row${all.length === 1 ? "" : "s"}`),
    made("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title },
      made("table", {}, made("caption", { class: "hidden" }, title), made("thead", {}, made("tr", {}, head)), body)),
    made("div", { class: "tools" }, made("button", { type: "button", on: {
      click: () => save(`${table}.csv`, shownCsv(filled.map(({ column }) => column), all.map((row) => ({ cells: filled.map(({ at }) => row.cells[at]) }))), "text/csv;charset=utf-8"),
    } }, "Download CSV")));
}

function labelList(words) {
  return words.length
    ? made("ul", { class: "labels", "aria-label": "What its numbers are not" }, words.map((word) => made("li", {}, word)))
    : null;
}

/** Where a run is chosen to stand beside this one. */
function comparer(run, known) {
  const list = made("datalist", { id: "known-runs" }, known.runs.filter((one) => one !== run).map((one) => made("option", { value: one })));
  const input = made("input", { id: "other-run", list: "known-runs", type: "search", autocomplete: "off" });
  const wrong = made("span", { class: "bad", role: "alert" });
  return made("form", { class: "tools compare", on: { submit: (event) => {
    event.preventDefault();
    if (!known.runs.includes(input.value)) {
      wrong.textContent = " no run of this page has that name";
      return;
    }
    go(addressWith({ run: null, at: null, compare: `${run},${input.value}` }));
  } } }, made("label", { for: "other-run" }, "Compare with "), input, list, made("button", {}, "Compare"), wrong);
}

async function checksPart(run) {
  const known = await checks();
  const own = known.runs[run] ?? [];
  const lines = own.map(([number, outcome, evidence]) => made("li", { class: known.of_these ? known.styles[outcome] ?? "doubt" : "none" },
    made("span", { class: "mark" }, known.marks[outcome] ?? "[?]"),
    made("span", {}, known.claims[number], made("br"), made("span", { class: "evidence" }, evidence))));
  return part("Checks of the last audit", made("p", {}, known.verdict),
    own.length ? made("ul", { class: "checks" }, lines) : made("p", {}, "No check of an audit that lies here tells of this run."));
}

function originPart(origin) {
  const lines = (values) => values.flatMap((value, at) => (at ? [made("br"), value] : [value]));
  const told = {
    commit: [made("code", {}, origin.commit), origin.dirty ? made("strong", {}, " with changes that no commit holds") : null],
    "started by": [`${origin.user} on ${origin.submit_host}, sealed attempt ${origin.attempt}`],
    command: [made("code", {}, origin.command)],
    versions: [`Python ${origin.python}${origin.packages ? `, ${origin.packages}` : ""}`],
    hosts: lines(origin.hosts), sensors: lines(origin.sensors), GPUs: origin.gpus.length ? lines(origin.gpus) : ["none"],
  };
  return part("Where it comes from", made("dl", {}, Object.entries(told).flatMap(([label, inner]) => [made("dt", {}, label), made("dd", {}, inner)])));
}

async function powerPart(runs, name, known) {
  const place = part("Power over time");
  const found = await Promise.all(runs.map(async (run) => ({ run, trace: await traceOf(run) })));
  const there = found.filter(({ trace }) => trace && (trace.boards?.length || trace.band || trace.nodes.length));
  for (const { run, trace } of found) {
    if (!trace) place.append(made("p", {}, `${run}: ${known.not_in_page}`));
    for (const [gpu, why] of trace?.silent ?? []) place.append(made("p", { class: "evidence" }, `${run}: ${gpu}: ${why}`));
  }
  if (there.length) {
    const told = there.map(({ run, trace }) => `${run}: ${trace.fields.join(", ") || "no power of GPUs"}`).join("; ");
    place.append(made("p", {}, `By ${told}. Dotted lines bound the measured window; shades are what rank 0 was doing. The least and the greatest of each stretch are kept of at most ${there[0].trace.points} points a line. Drag to zoom, click a name to hide it.`));
    // Who opened the page reads on while it is drawn.
    drawTraces(place, there, name).catch((error) => place.append(made("p", { class: "bad" }, `Not drawn: ${error.message}`)));
  }
  return place;
}

async function runPage(run) {
  const known = await index();
  if (!known.runs.includes(run)) return [made("h2", { tabindex: "-1" }, "No such run"), made("p", {}, `This page has no run ${run}.`)];
  const details = await detailsOf(run);
  const told = facts(details, known);
  const energy = ({ column }) => UNITS_OF_ENERGY.some((unit) => column.unit.startsWith(unit)) && !column.setting;
  const given = new Set(Object.keys(details.spec));
  const main = (fact) => fact.table === MAIN && energy(fact);
  // What the spec says already, and what is empty for no reason, is left out.
  const others = told.filter((fact) => !main(fact) && !given.has(fact.column.name) && (fact.text !== DASH || fact.why));
  const groups = [...new Set(others.map(({ table }) => table))];
  return [
    made("h2", { tabindex: "-1" }, "Run ", made("code", {}, run)),
    labelList(known.labels[run]),
    comparer(run, known),
    part("Energies", factList(told.filter(main))),
    await powerPart([run], `power-${run}`, known),
    part("Spec", made("dl", { class: "facts" }, Object.entries(details.spec).flatMap(([key, value]) => [made("dt", {}, key), made("dd", {}, value)]))),
    ...groups.map((table) => part(table === MAIN ? "How it ran" : known.tables[table].title, factList(others.filter((fact) => fact.table === table)))),
    part("Its rows of tables", ...Object.entries(details.sheets).filter(([, own]) => own.cells[0]?.length).map(([table, own]) => rowsPart(known, table, own)),
      Object.keys(details.sheets).length ? null : made("p", {}, known.left_out.join("; "))),
    originPart(details.origin),
    details.notes.length ? part("What merge and analysis noted", made("ul", {}, details.notes.map((note) => made("li", {}, note)))) : null,
    await checksPart(run),
  ];
}

/** The ratio of two numbers, second over first, where both are there. */
function ratio(one, other) {
  const [a, b] = [Number(one), Number(other)];
  return one === "" || other === "" || !Number.isFinite(b / a) ? DASH : (b / a).toPrecision(4);
}

function comparedTable(title, head, rows, link) {
  return made("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title },
    made("table", { class: "compared" }, made("caption", { class: "hidden" }, title),
      made("thead", {}, made("tr", {}, head.map((words) => made("th", { scope: "col" }, link.has(words) ? runLink(words) : words)))),
      made("tbody", {}, rows.map(([label, ...cells]) => made("tr", {}, made("th", { scope: "row", title: label.title }, label.text), cells.map((cell) => made("td", { title: cell.why }, cell.text ?? cell)))))));
}

async function comparePage(names) {
  const known = await index();
  const runs = names.split(",");
  const unknown = runs.filter((run) => !known.runs.includes(run));
  if (runs.length !== 2 || unknown.length) {
    return [made("h2", { tabindex: "-1" }, "Nothing to compare"), made("p", {}, unknown.length ? `This page has no run ${unknown.join(" and no run ")}.` : "Two runs must be named, with a comma between them.")];
  }
  const [one, other] = await Promise.all(runs.map(detailsOf));
  const keys = [...new Set([...Object.keys(one.spec), ...Object.keys(other.spec)])];
  const differ = keys.filter((key) => one.spec[key] !== other.spec[key]);
  const link = new Set(runs);
  const told = [facts(one, known), facts(other, known)];
  const name = ({ table, column }) => `${table} ${column.name}`;
  const second = new Map(told[1].map((fact) => [name(fact), fact]));
  const numbers = told[0].filter(({ column }) => !column.setting && !["text", "flag"].includes(column.type)).flatMap((fact) => {
    const beside = second.get(name(fact));
    return !beside || (fact.text === DASH && beside.text === DASH) ? [] : [[
      { text: `${fact.column.label}${unitOf(fact.column)}`, title: `${fact.column.name}: ${fact.column.meaning}` }, fact, beside, { text: ratio(fact.key, beside.key) },
    ]];
  });
  const labels = runs.map((run) => made("p", {}, runLink(run), labelList(known.labels[run])));
  return [
    made("h2", { tabindex: "-1" }, "Two runs compared"),
    ...labels,
    await powerPart(runs, `power-${runs.join("-")}`, known),
    part("What their specs differ in", differ.length
      ? comparedTable("Spec", ["", ...runs], differ.map((key) => [{ text: key }, one.spec[key] ?? DASH, other.spec[key] ?? DASH]), link)
      : made("p", {}, "In nothing.")),
    part("Their numbers", made("p", {}, "The ratio is the second over the first. One run each: no interval over repeats, so that a difference of some per cent may be chance."),
      comparedTable("Numbers", ["", ...runs, "ratio"], numbers, link)),
  ];
}
