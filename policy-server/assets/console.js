// What the console does over and above plain pages. Every page works without it.
// It never builds markup from data: it only moves parts of pages the server rendered.
"use strict";

// A form or link with data-swap="id" is fetched, and only the part of the answer with that id is put in.
async function swap(id, request) {
  const answer = await fetch(request, { headers: { accept: "text/html" }, credentials: "same-origin" });
  if (answer.redirected || !answer.ok && answer.status !== 422 && answer.status !== 409) return answer.url;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById(id);
  const stale = document.getElementById(id);
  if (!fresh || !stale) return answer.url;
  stale.replaceWith(document.adoptNode(fresh));
  prepare(fresh);
  return null;
}

document.addEventListener("submit", async (event) => {
  const button = event.submitter;
  const id = button?.dataset.swap;
  if (!id || !document.getElementById(id)) return;
  event.preventDefault();
  button.disabled = true;
  const form = event.target;
  const action = button.getAttribute("formaction") || form.getAttribute("action");
  try {
    const request = new Request(action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    const elsewhere = await swap(id, request);
    if (elsewhere) form.requestSubmit(Object.assign(document.createElement("button"), {}));
    document.getElementById(id)?.focus();
  } catch {
    delete button.dataset.swap; // the network failed: let the browser say so
    button.disabled = false;
    button.click();
  } finally {
    button.disabled = false;
  }
});

// A part with data-live="milliseconds" is fetched again and replaced where it changed, unless it is being used.
function live(part) {
  const again = async () => {
    const now = document.getElementById(part.id);
    if (!now) return;
    const busy = document.hidden || now.contains(document.activeElement) || now.querySelector("details[open]");
    try {
      if (!busy) {
        const answer = await fetch(location.href, { headers: { "x-portreeve-live": "1" }, credentials: "same-origin" });
        if (answer.ok && !answer.redirected) {
          const page = new DOMParser().parseFromString(await answer.text(), "text/html");
          const fresh = page.getElementById(now.id);
          if (fresh && fresh.innerHTML !== now.innerHTML) now.replaceChildren(...document.adoptNode(fresh).childNodes);
          const count = document.getElementById("open-alerts"), newer = page.getElementById("open-alerts");
          if (count && newer && count.textContent !== newer.textContent) count.replaceWith(document.adoptNode(newer));
        }
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
    const before = area.value.split("\n").slice(0, jump.dataset.line - 1);
    const at = before.reduce((sum, line) => sum + line.length + 1, 0) + Number(jump.dataset.column) - 1;
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

function prepare(root) {
  for (const part of root.querySelectorAll("[data-live]")) live(part);
  for (const area of root.querySelectorAll("textarea[data-gutter]")) editor(area);
  for (const button of root.querySelectorAll("button[data-copy][hidden]")) button.hidden = false;
  markFaults();
}

prepare(document);
