// Tables: filtered by words and by the values of any column that tells rows apart, sorted, and
// downloaded as they are shown. What a table is at stands in the address.

const FEW_VALUES = 24;
const LAID_OUT = 250;
const TYPING_MS = 250;

class Sheet {
  constructor(root) {
    this.root = root;
    this.name = root.dataset.sheet;
    this.table = root.querySelector("table");
    this.body = this.table.tBodies[0];
    this.headers = [...this.table.tHead.rows[0].cells];
    this.columns = this.headers.map((header) => ({
      name: header.dataset.name,
      unit: header.dataset.unit ?? "",
      label: header.innerText.trim(),
      type: header.className,
    }));
    this.rows = [...this.body.rows].map((element) => ({
      element,
      cells: [...element.cells].map((cell) => cell.textContent),
      keys: [...element.cells].map((cell) => cell.dataset.key),
    }));
    this.complete = !root.dataset.more && this.rows.length === Number(root.dataset.rows);
    this.shown = this.rows;
    this.limit = LAID_OUT;
    this.turn = 0;
    this.headers.forEach((header, at) =>
      header.querySelector("button").addEventListener("click", () => this.sortBy(at))
    );
    root.querySelector(".all")?.addEventListener("click", () => this.showAll());
    this.layOutTools();
    this.tellCount(this.rows.length);
  }

  key(part) {
    return `${this.name}.${part}`;
  }

  /** Every row, those that were not laid out too. */
  async whole() {
    if (this.complete || !this.root.dataset.more) return this.rows;
    const read = this.root.dataset.more === "runs" ? await this.rowsOfRuns() : await this.ownRows();
    if (!this.complete) {
      this.rows = read;
      this.complete = true;
      this.layOutFilters();
    }
    return this.rows;
  }

  async ownRows() {
    return unpackedRows(await unpacked(dataOf("table", this.name)), this.columns);
  }

  async rowsOfRuns() {
    const known = await index();
    const columns = known.tables[this.name].columns.map((column) => column.name);
    const single = known.tables[this.name].single;
    const found = [];
    for (const run of known.runs) {
      const details = await detailsOf(run);
      const own = (single ? details.one : details.sheets)[this.name];
      if (own) found.push(...unpackedRows({ columns, ...own }, this.columns, run));
    }
    return found;
  }

  sortBy(at) {
    const up = this.headers[at].getAttribute("aria-sort") !== "ascending";
    go(addressWith({ [this.key("sort")]: `${this.columns[at].name}:${up ? "up" : "down"}` }));
    say(`sorted by ${this.columns[at].label}, ${up ? "ascending" : "descending"}`);
  }

  async showAll() {
    await this.whole();
    this.limit = Infinity;
    this.shown = this.chosenRows(address());
    this.layOut();
  }

  layOutTools() {
    const id = `words-${this.name}`;
    this.words = made("input", { type: "search", id, autocomplete: "off" });
    let typing;
    this.words.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => {
        go(addressWith({ [this.key("text")]: this.words.value.trim() || null }), { replace: true });
      }, TYPING_MS);
    });
    this.filters = made("div", { class: "axes" });
    this.chosen = made("summary", {}, "Filter by value");
    this.filtering = made("details", { class: "filtering" }, this.chosen, this.filters);
    this.count = made("output", { class: "howmany", for: id });
    this.root.querySelector(".tools").append(
      made("label", { for: id }, "Rows with "),
      this.words,
      this.filtering,
      made("button", { type: "button", class: "download", on: { click: () => this.download() } }, "Download CSV"),
      made("button", { type: "button", class: "reset", on: { click: () => this.reset() } }, "Reset"),
      this.count
    );
    this.layOutFilters();
  }

  layOutFilters() {
    this.boxes = new Map();
    const fields = this.columns.flatMap((column, at) => {
      if (column.type === "number" || column.type === "share") return [];
      const values = [...new Set(this.rows.map((row) => row.cells[at]))];
      if (values.length < 2 || values.length > FEW_VALUES) return [];
      values.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
      const boxes = values.map((value) => {
        const box = made("input", { type: "checkbox", value });
        box.addEventListener("change", () => this.filterBy(column.name));
        return box;
      });
      this.boxes.set(column.name, boxes);
      const labels = boxes.map((box) => made("label", {}, box, ` ${box.value}`));
      return made("fieldset", {}, made("legend", {}, column.label), labels);
    });
    this.filters.replaceChildren(...fields);
    this.filtering.hidden = !fields.length;
  }

  filterBy(name) {
    const chosen = this.boxes.get(name).filter((box) => box.checked).map((box) => box.value);
    go(addressWith({ [this.key(`is.${name}`)]: chosen.length ? chosen : null }));
  }

  reset() {
    const changes = {};
    for (const key of address().keys()) if (key.startsWith(`${this.name}.`)) changes[key] = null;
    this.limit = LAID_OUT;
    go(addressWith(changes));
    this.words.focus();
  }

  async download() {
    await this.whole();
    const rows = this.chosenRows(address());
    save(`${this.name}.csv`, shownCsv(this.columns, rows), "text/csv;charset=utf-8");
  }

  /** Lay out what an address says of this table. */
  async heed(parts) {
    const own = [...parts.keys()].some((key) => key.startsWith(`${this.name}.`));
    if (!own && !this.changed) return;
    const turn = ++this.turn;
    if (own) await this.whole();
    // Another address came while the rows were unpacked.
    if (turn !== this.turn) return;
    this.changed = own;
    const text = parts.get(this.key("text")) ?? "";
    if (this.words.value.trim() !== text) this.words.value = text;
    let values = 0;
    for (const [name, boxes] of this.boxes) {
      const wanted = parts.getAll(this.key(`is.${name}`));
      for (const box of boxes) {
        box.checked = wanted.includes(box.value);
        values += box.checked;
      }
    }
    this.chosen.textContent = values ? `Filter by value (${values} chosen)` : "Filter by value";
    const [by, direction] = this.order(parts);
    this.headers.forEach((header, at) => {
      const sorted = at === by ? (direction === "down" ? "descending" : "ascending") : "none";
      header.setAttribute("aria-sort", sorted);
    });
    this.shown = this.chosenRows(parts);
    this.layOut();
  }

  order(parts) {
    const [name, direction] = (parts.get(this.key("sort")) ?? "").split(":");
    return [this.columns.findIndex((column) => column.name === name), direction];
  }

  chosenRows(parts) {
    const words = (parts.get(this.key("text")) ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = this.columns
      .map((column, at) => [at, parts.getAll(this.key(`is.${column.name}`))])
      .filter(([, values]) => values.length);
    const rows = this.rows.filter(
      (row) =>
        wanted.every(([at, values]) => values.includes(row.cells[at])) &&
        words.every((word) => row.cells.some((cell) => cell.toLowerCase().includes(word)))
    );
    const [by, direction] = this.order(parts);
    if (by < 0) return rows;
    const numeric = this.columns[by].type !== "text";
    const sign = direction === "down" ? -1 : 1;
    // Empty cells stay last both ways.
    return rows.sort((one, other) => {
      const [a, b] = [one.keys[by], other.keys[by]];
      if (a === "" || b === "") return (a === "") - (b === "");
      return sign * (numeric ? Number(a) - Number(b) : a.localeCompare(b, "en", { numeric: true }));
    });
  }

  layOut() {
    const laid = this.shown.slice(0, this.limit);
    this.body.replaceChildren(...laid.map((row) => (row.element ??= rowElement(row, this.columns))));
    this.tellCount(laid.length);
  }

  tellCount(laid) {
    const total = Number(this.root.dataset.rows);
    const chosen = this.complete ? this.shown.length : total;
    const rest = chosen > laid ? `, the first ${laid} laid out` : "";
    this.count.textContent = `${chosen} of ${total} rows${rest}`;
  }
}

/** Rows of packed columns, in the order of the columns that are wanted. */
function unpackedRows(packed, columns, run = "") {
  const places = columns.map((column) => packed.columns.indexOf(column.name));
  const count = packed.cells[0]?.length ?? 0;
  const why = new Map(packed.why.map(([row, at, text]) => [`${row} ${at}`, text]));
  return Array.from({ length: count }, (_, row) => {
    const cells = places.map((at) => (at < 0 ? run : packed.cells[at][row]));
    return {
      cells,
      keys: cells.map((cell, at) => sortKey(cell, columns[at].type)),
      why: places.map((at) => why.get(`${row} ${at}`)),
    };
  });
}

function sortKey(text, type) {
  if (text === "\u2013" || text === "not attributable") return "";
  if (type === "flag") return text === "no" ? "0" : "1";
  return type === "text" ? text : plainNumber(text)[0];
}

function rowElement(row, columns) {
  const cells = row.cells.map((text, at) => {
    const { name, type } = columns[at];
    const cell = made("td", { class: type, "data-key": row.keys[at], title: row.why?.[at] });
    cell.append(name === "run_id" ? runLink(text) : text);
    return cell;
  });
  return made("tr", {}, cells);
}

function runLink(run) {
  return made("a", { href: `#run=${encodeURIComponent(run)}` }, run);
}

const sheets = [...document.querySelectorAll(".sheet")].map((root) => new Sheet(root));
onAddress((parts) => sheets.forEach((sheet) => sheet.heed(parts)));
