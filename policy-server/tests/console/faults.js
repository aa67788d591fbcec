// Runs in the page under test. Gives a list of sentences; empty where nothing is wrong.
const faults = [];
const all = (css) => [...document.querySelectorAll(css)];
const say = (element, what) => faults.push(`${element.outerHTML.slice(0, 120)}: ${what}`);

if (!document.title.includes(" · Portreeve")) faults.push(`the title is ${document.title}`);
if (document.documentElement.lang !== "en") faults.push("no language");
if (all("h1").length !== 1) faults.push(`${all("h1").length} h1`);
if (all("main").length !== 1 || !document.querySelector("a.skip[href='#main']")) faults.push("no main, or no way to skip to it");

let level = 0;
for (const heading of all("h1, h2, h3, h4")) {
  const now = Number(heading.tagName[1]);
  if (now > level + 1) say(heading, `a heading of level ${now} after one of level ${level}`);
  level = now;
}
for (const field of all("input:not([type=hidden]), select, textarea")) {
  if (field.labels.length === 0) say(field, "no label");
}
for (const button of all("button, a[href], summary")) {
  if (button.closest("[aria-hidden=true]") || button.hidden) continue;
  if (!(button.textContent.trim() || button.getAttribute("aria-label"))) say(button, "no words");
}
for (const table of all("table")) {
  if (!table.caption) say(table, "no caption");
  for (const head of table.querySelectorAll("th")) if (!head.scope) say(head, "no scope");
}
const ids = all("[id]").map((element) => element.id);
for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push(`the id ${id} is there twice`);
for (const form of all("form[method=post]")) {
  const open = location.pathname.startsWith("/login");
  if (!open && !form.elements.csrf?.value) say(form, "no token");
}
if (all("[style]").length) say(all("[style]")[0], "a style of its own");
if (document.documentElement.scrollWidth > innerWidth + 1) {
  const scrolls = (element) => element && (getComputedStyle(element).overflowX !== "visible" || scrolls(element.parentElement));
  const wide = all("main *").find((e) => e.getBoundingClientRect().right > innerWidth + 1 && !scrolls(e.parentElement));
  say(wide ?? document.body, `${document.documentElement.scrollWidth} wide in a window of ${innerWidth}`);
}

// Contrast of every text with what is behind it: 4.5 to 1, as WCAG 2.2 AA asks.
const parse = (colour) => (colour.match(/[\d.]+/g) ?? []).map(Number);
const light = ([r, g, b]) => {
  const part = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
};
const behind = (element) => {
  for (let e = element; e; e = e.parentElement) {
    const colour = parse(getComputedStyle(e).backgroundColor);
    if (colour.length === 3 || colour[3] > 0.99) return colour;
  }
  return [255, 255, 255];
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const told = new Set();
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.textContent.trim() || element.closest("script, svg, .sr")) continue;
  if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
  const style = getComputedStyle(element);
  const [a, b] = [light(parse(style.color)), light(behind(element))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  const key = style.color + behind(element);
  if (ratio < 4.5 && !told.has(key)) {
    told.add(key);
    say(element, `contrast ${ratio.toFixed(2)}`);
  }
}
return faults;
