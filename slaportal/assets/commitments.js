// A commitment's row shows only what its kind uses, says what the kind measures, and sums itself up when it is closed.
(() => {
  "use strict";

  function fit(row, kinds, cleared) {
    const part = (name) => row.querySelector(`.field-${name}`);
    const input = (name) => row.querySelector(`[name$="-${name}"]`);
    const kind = kinds[input("kind").value];
    const uses = {
      limit: kind && kind.limit,
      unit: kind && kind.limit,
      attempts: kind && kind.attempts,
      start: kind && kind.starts.length > 0,
      monthly_targets: kind && kind.monthly,
    };
    Object.entries(uses).forEach(([name, used]) => {
      const wrong = part(name).classList.contains("errors");
      part(name).hidden = !used && !wrong;
      if (!used && cleared) input(name).value = "";
    });
    if (kind) {
      [...input("start").options].forEach((option) => {
        option.hidden = option.disabled = Boolean(option.value) && !kind.starts.includes(option.value);
      });
    }
    row.querySelector(".sla-exactly").textContent = kind ? kind.exactly : "";
    const chosen = (name) => (input(name).value ? input(name).selectedOptions[0].text : "");
    const limit = uses.limit && input("limit").value && `${Number(input("limit").value)} ${chosen("unit")}`;
    const target = input("target").value && `${Number(input("target").value)} ${kind && kind.monthly ? "a month" : "%"}`;
    row.querySelector(".sla-summary").textContent = [chosen("kind"), limit, target].filter(Boolean).join(" · ");
  }

  function enhance(select) {
    const kinds = JSON.parse(select.dataset.kinds);
    const row = select.closest(".form-group");
    const exactly = document.createElement("div");
    exactly.className = "sla-exactly";
    select.parentElement.after(exactly);
    const summary = document.createElement("span");
    summary.className = "sla-summary";
    row.querySelector("h3 strong").after(summary);
    row.addEventListener("input", (event) => fit(row, kinds, event.target === select));
    fit(row, kinds, false);
  }

  function enhanceAll(root) {
    root.querySelectorAll("select[data-kinds]").forEach((select) => {
      if (!select.name.includes("__prefix__")) enhance(select);
    });
  }

  document.addEventListener("DOMContentLoaded", () => enhanceAll(document));
  document.addEventListener("formset:added", (event) => {
    enhanceAll(event.target);
    const title = event.target.querySelector("h3 strong");
    if (title && event.target.querySelector("select[data-kinds]")) {
      const first = event.target.querySelector("input[name$='-title']");
      setTimeout(() => title.click(), 50); // when Alpine knows the row
      setTimeout(() => first.focus(), 150); // when Alpine shows it
    }
  });
})();
