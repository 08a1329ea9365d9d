// The board of a team refreshes by itself while it is looked at: the same page is fetched each minute and its #board
// takes the place of the one that is shown. What somebody has chosen or typed stays, and so do the focus and its cursor.
(() => {
  "use strict";

  const board = document.getElementById("board");
  // A page that refused a note shows why, and waits for the next one.
  if (!board?.dataset.url) return;
  const every = Number(board.dataset.every) * 1000;
  const CONTROLS = "input:not([type=hidden]), select, textarea";
  let shownAt = Date.now();
  let waits = null;
  let isPutOff = false;
  let isAsking = false;

  function timeShown() {
    return document.querySelector("#refreshed time")?.textContent ?? "";
  }

  function say(words) {
    document.getElementById("refresh-failed").textContent = words ? words.replace("{time}", timeShown()) : "";
    document.getElementById("refreshed").hidden = Boolean(words);
  }

  function sayShown() {
    const words = document.getElementById("refreshed");
    const time = words.querySelector("time");
    const [before, after] = board.dataset.shown.split("{time}");
    words.replaceChildren(before, time, after);
  }

  // What tells a control from all others, also in the page that is fetched next.
  function key(control) {
    return control.id || (control.name && `${control.form?.id}/${control.name}`);
  }

  function isChanged(control) {
    if (control.type === "checkbox" || control.type === "radio") return control.checked !== control.defaultChecked;
    if (control.tagName === "SELECT") return [...control.options].some((one) => one.selected !== one.defaultSelected);
    return control.value !== control.defaultValue;
  }

  function kept() {
    const changed = new Map();
    board.querySelectorAll(CONTROLS).forEach((control) => {
      if (key(control) && isChanged(control)) changed.set(key(control), control);
    });
    const active = board.contains(document.activeElement) ? document.activeElement : null;
    return { changed, active, open: [...board.querySelectorAll("details[open][id]")].map((one) => one.id) };
  }

  function restore({ changed, active, open }) {
    board.querySelectorAll(CONTROLS).forEach((control) => {
      const before = changed.get(key(control));
      if (!before) return;
      if (control.type === "checkbox" || control.type === "radio") control.checked = before.checked;
      else if (control.tagName !== "SELECT" || [...control.options].some((one) => one.value === before.value)) {
        control.value = before.value;
      }
    });
    open.forEach((id) => { const one = document.getElementById(id); if (one) one.open = true; });
    if (active) focusAgain(active);
  }

  function focusAgain(active) {
    const same = [...board.querySelectorAll(active.tagName)].filter((one) => (
      active.id ? one.id === active.id : one.textContent === active.textContent && one.href === active.href
        && one.getAttribute("aria-label") === active.getAttribute("aria-label") && one.name === active.name
    ));
    if (!same.length) return;
    same[0].focus({ preventScroll: true });
    if (active.selectionStart != null && same[0].setSelectionRange) {
      same[0].setSelectionRange(active.selectionStart, active.selectionEnd);
    }
  }

  async function refresh() {
    waits = null;
    if (document.hidden || isAsking) return;
    // A list that is open would close. It is waited for once.
    if (document.activeElement?.tagName === "SELECT" && !isPutOff) {
      isPutOff = true;
      schedule();
      return;
    }
    isPutOff = false;
    isAsking = true;
    try {
      const answer = await fetch(board.dataset.url, { credentials: "same-origin", cache: "no-store" });
      const fresh = answer.ok
        && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("board");
      if (fresh) {
        const before = kept();
        board.replaceChildren(...fresh.childNodes);
        restore(before);
        sayShown();
        board.dispatchEvent(new CustomEvent("board:fresh", { bubbles: true }));
      } else say(answer.redirected ? board.dataset.loggedOut : board.dataset.failed);
    } catch {
      say(board.dataset.failed);
    }
    isAsking = false;
    shownAt = Date.now();
    schedule();
  }

  function schedule() {
    clearTimeout(waits);
    waits = document.hidden ? null : setTimeout(refresh, every);
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { clearTimeout(waits); waits = null; }
    else if (Date.now() - shownAt >= every) refresh();
    else { clearTimeout(waits); waits = setTimeout(refresh, every - (Date.now() - shownAt)); }
  });
  sayShown();
  schedule();
})();
