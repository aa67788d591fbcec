// What the console does over and above plain pages. Every page works without it.
// It never builds markup from data: it only moves parts of pages the server rendered.
"use strict";

// The answer to a request as a document, where it is a page of ours and not a redirect elsewhere.
async function fetched(request) {
  const answer = await fetch(request, { credentials: "same-origin", redirect: "manual" });
  const page = answer.type !== "opaqueredirect" && answer.headers.get("content-type")?.startsWith("text/html");
  return page ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
}

// A button with data-swap="ids" sends its form, and only the parts of the answer with those ids are put
// in: the rest of the page, with its text and the place it is scrolled to, stays. Where anything about
// that fails, the form is sent as it would be without this script.
document.addEventListener("submit", async (event) => {
  const button = event.submitter;
  if (!button?.dataset.swap) return;
  event.preventDefault();
  const form = event.target;
  const action = button.getAttribute("formaction") || form.getAttribute("action");
  try {
    const page = await fetched(new Request(action, { method: "POST", body: new URLSearchParams(new FormData(form)) }));
    const ids = button.dataset.swap.split(" ");
    for (const id of ids) document.getElementById(id).replaceWith(document.adoptNode(page.getElementById(id)));
    document.title = page.title;
    markFaults();
    document.getElementById(ids[0]).focus();
  } catch {
    form.action = action;
    form.submit();
  }
});

// A part with data-live="milliseconds" is fetched again and replaced where it changed, unless it is being used.
function live(part) {
  const again = async () => {
    const now = document.getElementById(part.id);
    if (!now) return;
    const busy = document.hidden || now.contains(document.activeElement) || now.querySelector("details[open]");
    try {
      const page = busy ? null : await fetched(new Request(location.href, { headers: { "x-portreeve-live": "1" } }));
      for (const id of page ? [now.id, "open-alerts"] : []) {
        const stale = document.getElementById(id), fresh = page.getElementById(id);
        if (fresh && fresh.innerHTML !== stale.innerHTML) stale.replaceChildren(...document.adoptNode(fresh).childNodes);
      }
    } catch { /* the server is away: the next round asks again */ }
    setTimeout(again, Number(part.dataset.live));
  };
  setTimeout(again, Number(part.dataset.live));
}

// The editor: line numbers follow the text, and a problem's link puts the cursor where it is.
function editor(area) {
  const gutter = document.getElementById(area.dataset.gutter);
  const fit = () => {
    const lines = area.value.split("\n").length + 3;
    area.rows = lines;
    for (let n = gutter.childElementCount; n < lines; n++) {
      const line = document.createElement("span");
      line.id = `L${n + 1}`;
      line.textContent = String(n + 1);
      gutter.append(line);
    }
    while (gutter.childElementCount > lines) gutter.lastElementChild.remove();
  };
  area.addEventListener("input", fit);
  fit();
}

function markFaults() {
  const gutter = document.getElementById("gutter");
  if (!gutter) return;
  for (const line of gutter.querySelectorAll(".fault")) line.classList.remove("fault");
  for (const link of document.querySelectorAll("a[data-line]")) gutter.children[link.dataset.line - 1]?.classList.add("fault");
}

document.addEventListener("click", (event) => {
  const jump = event.target.closest("a[data-line]");
  const area = document.getElementById("text");
  if (jump && area) {
    event.preventDefault();
    const lines = area.value.split("\n");
    const above = lines.slice(0, jump.dataset.line - 1).reduce((sum, line) => sum + line.length + 1, 0);
    // Columns count characters, the text area counts UTF-16 units.
    const at = above + [...(lines[jump.dataset.line - 1] ?? "")].slice(0, jump.dataset.column - 1).join("").length;
    area.focus();
    area.setSelectionRange(at, at);
    document.getElementById(`L${jump.dataset.line}`)?.scrollIntoView({ block: "center" });
  }
  const copy = event.target.closest("button[data-copy]");
  if (copy) {
    navigator.clipboard.writeText(document.getElementById(copy.dataset.copy).textContent).then(() => {
      copy.textContent = "Copied";
    });
  }
});

for (const part of document.querySelectorAll("[data-live]")) live(part);
for (const area of document.querySelectorAll("textarea[data-gutter]")) editor(area);
for (const button of document.querySelectorAll("button[data-copy][hidden]")) button.hidden = false;
