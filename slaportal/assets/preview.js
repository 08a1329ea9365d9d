// While a draft is edited, shows how it would read if it were saved as it stands, and each remark beside its field too.
(() => {
  "use strict";

  const PAUSE = 700; // milliseconds without a key before it is asked
  const OPENING = 100; // milliseconds until what was closed can take the focus

  const lineOf = (field) => field.closest(".field-line") || field.parentElement;
  const rowOf = (field) => field.closest(".form-group");

  function copyOf(remark, tag, ...content) {
    const copy = document.createElement(tag);
    copy.className = `${remark.className} sla-beside`;
    copy.append(...content.map((node) => node.cloneNode(true)));
    return copy;
  }

  // What is closed says that there is something in it, once and with the gravest: those that block come first.
  function flag(title, remark) {
    if (!title || title.parentElement.querySelector(".sla-flag")) return;
    const mark = copyOf(remark, "span", remark.querySelector(".material-symbols-outlined"));
    mark.classList.add("sla-flag");
    title.after(mark);
  }

  function place(preview) {
    document.querySelectorAll(".sla-beside").forEach((old) => old.remove());
    preview.querySelectorAll("[data-beside]").forEach((remark) => {
      const field = document.getElementById(remark.dataset.beside);
      if (!field) return;
      const [icon, words] = remark.children;
      const says = document.createElement("span");
      says.append(...[...words.childNodes].map((node) => node.cloneNode(true)));
      const line = lineOf(field);
      (line.querySelector(":scope > .grow") || line).append(copyOf(remark, "p", icon, says));
      const row = rowOf(field), folded = field.closest("details");
      if (row) flag(row.querySelector("h3 strong"), remark);
      if (folded) flag(folded.querySelector("summary > h2").lastChild, remark);
    });
  }

  function open(id) {
    const field = document.getElementById(id);
    if (!field) return;
    const line = lineOf(field), row = rowOf(field), folded = field.closest("details");
    if (folded) folded.open = true;
    const title = row && row.querySelector("h3 strong");
    if (title && !line.offsetParent) title.click();
    setTimeout(() => {
      const controls = [field, ...line.querySelectorAll("input, select, textarea, button")];
      const first = controls.find((one) => one.offsetParent && one.matches("input, select, textarea, button"));
      line.scrollIntoView({ block: "center" });
      if (first) first.focus({ preventScroll: true });
    }, OPENING);
  }

  function watch(card) {
    const form = document.getElementById("version_form");
    const preview = card.querySelector("#sla-preview");
    const problems = card.querySelector("[data-problems]");
    const lost = card.querySelector("[data-lost]");
    const written = () => new URLSearchParams(new FormData(form)).toString();
    let timer, asked = 0, last = "unsaved" in card.dataset ? "" : written();

    function wait(waits) {
      [form, card].forEach((part) => part.classList.toggle("sla-waiting", waits));
    }

    function lose() {
      wait(true);
      problems.replaceChildren();
      lost.hidden = false;
    }

    async function ask() {
      const now = written();
      if (now === last) return;
      last = now;
      const mine = ++asked;
      const answer = await fetch(card.dataset.preview, {
        method: "POST",
        body: now,
        headers: { "Content-Type": "application/x-www-form-urlencoded" },
        redirect: "manual", // to the login page
      });
      const text = await answer.text();
      if (mine !== asked) return;
      if (!answer.ok && answer.status !== 422) {
        lose();
        return;
      }
      lost.hidden = true;
      wait(!answer.ok);
      problems.innerHTML = answer.ok ? "" : text;
      if (answer.ok) {
        preview.innerHTML = text;
        place(preview);
      }
    }

    const soon = () => {
      clearTimeout(timer);
      timer = setTimeout(() => ask().catch(() => { last = ""; lose(); }), PAUSE);
    };
    form.querySelectorAll("details:has(.errors)").forEach((folded) => { folded.open = true; });
    place(preview);
    if (!last) soon();
    // Rows are sorted, removed and taken back by scripts that tell nobody.
    ["input", "change", "click", "pointerup", "dragend"].forEach((kind) => form.addEventListener(kind, soon));
    ["formset:added", "formset:removed"].forEach((kind) => document.addEventListener(kind, soon));
    card.addEventListener("click", (event) => {
      const remark = event.target.closest("[data-opens]");
      if (remark) open(remark.dataset.opens);
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    const card = document.querySelector("[data-preview]");
    if (card) watch(card);
  });
})();
