// Fields whose lines of text mean something are shown as rows of controls. The text stays what is sent, and is shown
// instead where a line cannot be told apart.
(() => {
  "use strict";

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
    element.append(...children);
    return element;
  }

  const icon = (name) => make("span", { class: "material-symbols-outlined", "aria-hidden": "true" }, name);
  const button = (label, name) => make("button", { type: "button", class: "sla-icon-button", "aria-label": label, title: label }, icon(name));

  // What the text area looks like, without what only a text area can.
  const inputClass = (area) => area.className.replace(/\S*(field-sizing|min-h|max-w|vLarge|appearance)\S*/g, "");

  function input(area, label, attributes = {}) {
    return make("input", { class: inputClass(area), "aria-label": label, autocomplete: "off", ...attributes });
  }

  function select(area, label, words) {
    const made = make("select", { class: `${inputClass(area)} pr-8! appearance-none`, "aria-label": label });
    made.append(...words.map((word) => make("option", { value: word }, word)));
    return made;
  }

  // `name` is what a row is, `split` makes parts of a line or null, `blank(count)` the parts of a new row. `controls`
  // makes a row of parts: its `inputs`, the `line` that they say, and `fit`, called after each change. With `sorts`
  // rows can be moved.
  function asRows(area, { name, rowClass, split, blank, controls, sorts }) {
    const rows = make("div", { class: "sla-lines-rows" });
    const add = make("button", { type: "button", class: "sla-link" }, icon("add"), `Add ${name}`);
    const toggle = make("button", { type: "button", class: "sla-link" });
    const made = new Map();

    function write() {
      area.value = [...rows.children].map((row) => made.get(row).line()).filter(Boolean).join("\n");
      area.dispatchEvent(new Event("input", { bubbles: true }));
    }

    function fit() {
      [...rows.children].forEach((row) => made.get(row).fit());
    }

    function addRow(parts) {
      const one = controls(parts);
      const up = button(`Move ${name} up`, "arrow_upward"), remove = button(`Remove ${name}`, "close");
      const row = make("div", { class: `sla-line ${rowClass}` }, ...one.inputs, ...(sorts ? [up] : []), remove);
      made.set(row, one);
      one.fit();
      row.addEventListener("input", () => { one.fit(); write(); });
      up.addEventListener("click", () => {
        if (row.previousElementSibling) row.previousElementSibling.before(row);
        up.focus();
        write();
      });
      remove.addEventListener("click", () => { row.remove(); write(); add.focus(); });
      rows.append(row);
      return one.inputs[0];
    }

    function show(wanted) {
      const parts = area.value.split("\n").filter((line) => line.trim()).map(split);
      const possible = wanted && parts.every(Boolean);
      rows.replaceChildren();
      if (possible) parts.forEach(addRow);
      area.hidden = possible;
      rows.hidden = add.hidden = !possible;
      toggle.replaceChildren(icon(possible ? "notes" : "table_rows"), possible ? "Write as text" : "Show as rows");
      toggle.dataset.rows = possible;
    }

    add.addEventListener("click", () => {
      const first = addRow(blank(rows.children.length));
      first.focus();
      if (first.value) write();
    });
    toggle.addEventListener("click", () => show(toggle.dataset.rows !== "true"));
    area.after(make("div", { class: "sla-lines" }, rows, make("div", { class: "sla-lines-foot" }, add, toggle)));
    show(true);
    return fit;
  }

  // Enhances every text area with this data attribute, also in rows of a formset that are added later.
  function each(attribute, enhance) {
    const all = (root) => root.querySelectorAll(`textarea[${attribute}]`).forEach((area) => {
      if (!area.name.includes("__prefix__")) enhance(area);
    });
    document.addEventListener("DOMContentLoaded", () => all(document));
    document.addEventListener("formset:added", (event) => all(event.target));
  }

  window.slaLines = { make, input, select, asRows, each };
})();
