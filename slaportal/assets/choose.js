// A list with checkboxes: one in the head of their column that ticks all of the page.
(() => {
  "use strict";

  document.querySelectorAll("form[data-choose]").forEach((form) => {
    const head = form.querySelector("th.choose");
    const boxes = [...form.querySelectorAll("td.choose input[type=checkbox]")];
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
    form.addEventListener("change", (event) => { if (boxes.includes(event.target)) show(); });
    show();
  });
})();
