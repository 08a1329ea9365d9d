// Forms about a lead show what belongs to the chosen reason, and say before sending what it needs and what is too late.
(() => {
  "use strict";

  function note(field, words) {
    let said = field.querySelector(".asked");
    if (!words) {
      if (said) said.remove();
      return;
    }
    if (!said) {
      said = document.createElement("p");
      said.className = "note warning asked";
      said.setAttribute("role", "status");
      field.append(said);
    }
    if (said.textContent !== words) said.textContent = words;
  }

  function fit(form) {
    const reason = form.querySelector("select[name=reason]");
    if (reason) {
      const chosen = reason.selectedOptions[0];
      note(reason.closest(".field"), (chosen && chosen.dataset.warning) || "");
      const criterion = form.querySelector("input[name=criterion]");
      if (criterion) criterion.closest(".field").hidden = !chosen || chosen.dataset.quality === undefined;
    }
    const at = form.querySelector("input[name=at][data-counts-from]");
    if (at) note(at.closest(".field"), at.value && at.value < at.dataset.countsFrom ? at.dataset.warning : "");
  }

  function fitAll(root) {
    root.querySelectorAll("form").forEach(fit);
  }

  document.addEventListener("input", (event) => { if (event.target.form) fit(event.target.form); });
  document.addEventListener("row:shown", (event) => fitAll(event.target));
  fitAll(document);
})();
