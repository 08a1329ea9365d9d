// Criteria are lines of text such as “score is at least 80”. This shows them as rows of field, comparison and value;
// the text stays what is sent, and is shown instead when a line cannot be told apart.
(() => {
  "use strict";

  const WITHOUT_VALUE = ["is empty", "is not empty"];
  const byLength = (words) => [...words].sort((a, b) => b.length - a.length);

  function split(line, fields, comparisons) {
    const text = line.trim();
    const field = byLength(fields).find((name) => text.toLowerCase().startsWith(name.toLowerCase() + " "))
      || (text.match(/^attributes\.\S+(?= )/) || [])[0];
    if (!field) return null;
    const rest = text.slice(field.length).trim();
    const comparison = byLength(comparisons).find(
      (words) => (rest + " ").toLowerCase().startsWith(words + " ")
    );
    if (!comparison) return null;
    const value = rest.slice(comparison.length).trim();
    if (WITHOUT_VALUE.includes(comparison) && value) return null;
    return { field, comparison, value };
  }

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
    element.append(...children);
    return element;
  }

  const icon = (name) => make("span", { class: "material-symbols-outlined", "aria-hidden": "true" }, name);

  function enhance(area) {
    const fields = JSON.parse(area.dataset.criteriaFields);
    const comparisons = JSON.parse(area.dataset.criteriaOperators);
    const inputClass = area.className.replace(/\S*(field-sizing|min-h|max-w|vLarge|appearance)\S*/g, "");
    const rows = make("div", { class: "sla-criteria-rows" });
    const known = make("datalist", { id: `${area.id}-fields` });
    known.append(...[...fields, "attributes."].map((name) => make("option", { value: name })));
    const add = make("button", { type: "button", class: "sla-link" }, icon("add"), "Add criterion");
    const toggle = make("button", { type: "button", class: "sla-link" });
    const box = make("div", { class: "sla-criteria" }, known, rows, make("div", { class: "sla-criteria-foot" }, add, toggle));

    function write() {
      area.value = [...rows.children]
        .map((row) => [...row.querySelectorAll("input:not([hidden]), select")].map((part) => part.value.trim()).join(" ").trim())
        .filter((line) => line && !comparisons.includes(line))
        .join("\n");
      area.dispatchEvent(new Event("input", { bubbles: true }));
    }

    function addRow({ field, comparison, value }) {
      const name = make("input", {
        class: inputClass, list: known.id, placeholder: "field", "aria-label": "Field", autocomplete: "off",
      });
      name.value = field;
      const how = make("select", { class: `${inputClass} pr-8! appearance-none`, "aria-label": "Comparison" });
      how.append(...comparisons.map((words) => make("option", { value: words }, words)));
      how.value = comparison;
      const what = make("input", { class: inputClass, "aria-label": "Value" });
      what.value = value;
      const remove = make("button", { type: "button", class: "sla-icon-button", "aria-label": "Remove criterion" }, icon("close"));
      const row = make("div", { class: "sla-criterion" }, name, how, what, remove);
      const fit = () => {
        what.hidden = WITHOUT_VALUE.includes(how.value);
        what.placeholder = how.value.endsWith("one of") || how.value.endsWith("none of") ? "Logistics; Energy" : "value";
      };
      fit();
      row.addEventListener("input", () => { fit(); write(); });
      remove.addEventListener("click", () => { row.remove(); write(); });
      rows.append(row);
      return name;
    }

    function show(asRows) {
      const lines = area.value.split("\n").filter((line) => line.trim());
      const parts = lines.map((line) => split(line, fields, comparisons));
      const possible = asRows && parts.every(Boolean);
      rows.replaceChildren();
      if (possible) parts.forEach(addRow);
      area.hidden = possible;
      rows.hidden = add.hidden = !possible;
      toggle.replaceChildren(icon(possible ? "notes" : "table_rows"), possible ? "Write as text" : "Show as rows");
      toggle.dataset.rows = possible;
    }

    add.addEventListener("click", () => addRow({ field: "", comparison: "is", value: "" }).focus());
    toggle.addEventListener("click", () => show(toggle.dataset.rows !== "true"));
    area.after(box);
    show(true);
  }

  function enhanceAll(root) {
    root.querySelectorAll("textarea[data-criteria-fields]").forEach((area) => {
      if (!area.name.includes("__prefix__")) enhance(area);
    });
  }

  document.addEventListener("DOMContentLoaded", () => enhanceAll(document));
  document.addEventListener("formset:added", (event) => enhanceAll(event.target));
})();
