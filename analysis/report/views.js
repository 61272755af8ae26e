// Which view is seen: the whole report, one run, or two runs.

const whole = document.getElementById("content");
const single = document.getElementById("single");
const top_ = document.getElementById("top");
const TITLE = document.title;
let seen = "";
let left = null;
let place = null;

async function view(parts) {
  const run = parts.get("run");
  const pair = parts.get("compare");
  const wanted = run ? `run ${run}` : pair ? `compare ${pair}` : "";
  if (!wanted) {
    const back = seen !== "";
    seen = "";
    document.body.classList.remove("one");
    single.hidden = true;
    single.replaceChildren();
    whole.hidden = top_.hidden = false;
    document.title = TITLE;
    const at = parts.get("at");
    const moved = at !== place;
    place = at;
    if (at && (moved || back)) showPlace(at);
    else if (back && left?.isConnected) {
      left.scrollIntoView({ block: "center" });
      left.focus({ preventScroll: true });
    }
    return;
  }
  if (wanted === seen) return;
  if (!seen) left = document.activeElement;
  seen = wanted;
  let inner;
  try {
    inner = await (run ? runPage(run) : comparePage(pair));
  } catch (error) {
    inner = [made("h2", { tabindex: "-1" }, "This page cannot be shown"), made("p", { class: "bad" }, error.message)];
  }
  // Another view was asked for meanwhile.
  if (seen !== wanted) return;
  const back = made("p", { class: "back" }, made("a", { href: "#runs" }, "\u2190 All results"));
  single.replaceChildren(back, ...inner.filter(Boolean));
  whole.hidden = top_.hidden = true;
  single.hidden = false;
  document.body.classList.add("one");
  document.title = `${run ?? pair} \u2013 ${TITLE}`;
  window.scrollTo(0, 0);
  single.querySelector("h2").focus({ preventScroll: true });
}

let first = true;
onAddress((parts, changed) => {
  if (first || changed) view(parts);
  first = false;
});
document.body.classList.add("scripts");
tell();
