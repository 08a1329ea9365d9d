// Criteria are lines of text such as “score is at least 80”: rows of field, comparison and value.
(() => {
  "use strict";

  const { make, input, select, asRows, each } = window.slaLines;
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

  each("data-criteria-fields", (area) => {
    const fields = JSON.parse(area.dataset.criteriaFields);
    const comparisons = JSON.parse(area.dataset.criteriaOperators);
    const known = make("datalist", { id: `${area.id}-fields` });
    known.append(...[...fields, "attributes."].map((name) => make("option", { value: name })));
    area.after(known);

    function controls({ field, comparison, value }) {
      const name = input(area, "Field", { list: known.id, placeholder: "field" });
      const how = select(area, "Comparison", comparisons);
      const what = input(area, "Value");
      [name.value, how.value, what.value] = [field, comparison, value];
      return {
        inputs: [name, how, what],
        fit() {
          what.hidden = WITHOUT_VALUE.includes(how.value);
          what.placeholder = how.value.endsWith("one of") || how.value.endsWith("none of") ? "Logistics; Energy" : "value";
        },
        line() {
          const words = [name, how, what].filter((part) => !part.hidden).map((part) => part.value.trim()).join(" ").trim();
          return comparisons.includes(words) ? "" : words;
        },
      };
    }

    asRows(area, {
      name: "criterion",
      rowClass: "sla-criterion",
      split: (line) => split(line, fields, comparisons),
      blank: () => ({ field: "", comparison: "is", value: "" }),
      controls,
    });
  });
})();
