// A list with checkboxes: one in the head of their column that ticks all of it.
(() => {
  "use strict";

  function prepare(table) {
    const head = table.querySelector("th.choose");
    const boxes = [...table.querySelectorAll("td.choose input[type=checkbox]")];
    if (!head || !boxes.length) return;
    const all = document.createElement("input");
    all.type = "checkbox";
    all.setAttribute("aria-label", "Choose all of this page");
    head.replaceChildren(all);

    function show() {
      const count = boxes.filter((box) => box.checked).length;
      all.checked = count === boxes.length;
      all.indeterminate = count > 0 && count < boxes.length;
    }

    all.addEventListener("change", () => { boxes.forEach((box) => { box.checked = all.checked; }); show(); });
    table.addEventListener("change", (event) => { if (boxes.includes(event.target)) show(); });
    show();
  }

  function prepareAll() {
    document.querySelectorAll("[data-choose] table").forEach(prepare);
  }

  prepareAll();
  // What was fetched anew has new tables.
  document.addEventListener("board:fresh", prepareAll);
})();
