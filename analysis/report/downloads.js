// Files of what is shown, made here: nothing is asked of a network.

function save(name, content, type) {
  const link = made("a", { href: URL.createObjectURL(new Blob([content], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** A cell as RFC 4180 has it; words that a spreadsheet would compute are marked as words. */
function csvCell(text, words) {
  const safe = words && /^[=+\-@]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Rows of texts as CSV. */
function csv(rows, words) {
  return rows.map((row) => row.map((cell, at) => csvCell(cell, words[at])).join(",") + "\r\n").join("");
}

const PER_CENT = " %";

/** A number as it is shown, as programs read it: value and ± apart, thousands together. */
function plainNumber(text) {
  const [value, width] = text.replaceAll("\u202f", "").replace(PER_CENT, "").split(" \u00b1 ");
  return [value === "\u2013" ? "" : value, width ?? ""];
}

/** What a table shows as CSV: a column each, one more where a ± is shown, its unit in the header. */
function shownCsv(columns, rows) {
  const header = [];
  const words = [];
  const parts = [];
  columns.forEach((column, at) => {
    const text = column.type === "text" || column.type === "flag";
    const unit = column.type === "share" ? "%" : ["", "1"].includes(column.unit) ? "" : column.unit;
    const name = (more) => `${column.name}${more}${unit ? ` [${unit}]` : ""}`;
    header.push(text ? column.name : name(""));
    words.push(text);
    parts.push((row) => (text ? row.cells[at] : plainNumber(row.cells[at])[0]));
    if (!text && rows.some((row) => plainNumber(row.cells[at])[1])) {
      header.push(name(" \u00b1"));
      words.push(false);
      parts.push((row) => plainNumber(row.cells[at])[1]);
    }
  });
  return csv([header, ...rows.map((row) => parts.map((part) => part(row)))], words);
}
