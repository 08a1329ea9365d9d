// The rep's list: time that goes on, clicks and forms that change one line in place, keys, and ten seconds to undo.
// Every button and link works without this file, by a page of its own.
(() => {
  "use strict";
  const page = document.getElementById("worklist");
  if (!page) return;
  const said = page.dataset, post = document.getElementById("act"), dialog = document.getElementById("keys");
  const toast = document.getElementById("toast"), announced = document.getElementById("announce");
  const SOON = 3600, UNDO = 10, NBSP = "\u00a0", KEYS = "worklistKeys";
  // The reader's clock may be wrong; the moment at which the page was made is not.
  const ahead = Date.now() - Date.parse(said.now);

  page.classList.add("with-script");

  // --- Time -----------------------------------------------------------------------------------------------------------
  function duration(exact) {
    const seconds = Math.ceil(exact);
    if (seconds < 60) return `${seconds}${NBSP}s`;
    const minutes = Math.ceil(seconds / 60), hours = Math.floor(minutes / 60), rest = minutes % 60;
    if (!hours) return `${minutes}${NBSP}min`;
    return rest ? `${hours}${NBSP}h${NBSP}${String(rest).padStart(2, "0")}` : `${hours}${NBSP}h`;
  }

  function tick() {
    const now = Date.now() - ahead;
    page.querySelectorAll("time[data-ticks]").forEach((time) => {
      const left = (Date.parse(time.dateTime) - now) / 1000;
      const isLate = left < 0 || time.classList.contains("bad");
      const words = isLate ? `${duration(Math.abs(left))}${NBSP}${said.late}` : duration(left);
      if (time.textContent !== words) time.textContent = words;
      time.classList.toggle("bad", isLate);
      // An hour of business time may be longer by the clock: what came amber stays amber until it is late.
      if (isLate) time.classList.remove("warn");
      else if (left <= SOON) time.classList.add("warn");
    });
  }
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });

  // --- What was done, and ten seconds to take it back -------------------------------------------------------------------
  let undo = null;
  const words = toast.querySelector(".toast-words"), button = toast.querySelector("button");

  function tell(text, address) {
    stop();
    toast.hidden = false;
    words.textContent = text;
    button.hidden = !address;
    undo = address ? { address, left: UNDO } : null;
    let left = address ? UNDO : 6;
    const show = () => { button.textContent = `${said.undo} (${left})`; };
    show();
    // It waits for whoever is about to press it.
    tell.timer = setInterval(() => {
      if (toast.matches(":hover") || toast.contains(document.activeElement)) return;
      left -= 1;
      show();
      if (left <= 0) stop();
    }, 1000);
  }

  function stop() {
    clearInterval(tell.timer);
    undo = null;
    if (toast.contains(document.activeElement)) focusOn(current());
    toast.hidden = true;
  }

  button.addEventListener("click", takeBack);

  function takeBack() {
    if (!undo) return;
    const { address } = undo;
    const row = document.getElementById(address.replace(/.*\/leads\/(\d+)\/.*/, "lead-$1"));
    if (row && !mayLose(row)) return;
    stop();
    if (!row) return;
    const body = new FormData(post);
    body.set("seen", row.dataset.seen);
    send(row, address, body);
  }

  // --- One line, in place -----------------------------------------------------------------------------------------------
  const rows = () => [...page.querySelectorAll(".lead")];
  let place = 0;

  function current() {
    const within = document.activeElement && document.activeElement.closest(".lead");
    return within || page.querySelector(".lead.on") || null;
  }

  function choose(row) {
    if (!row) return;
    page.querySelectorAll(".lead.on").forEach((other) => other.classList.toggle("on", other === row));
    row.classList.add("on");
    place = rows().indexOf(row);
  }

  function focusOn(row) {
    if (!row) return;
    choose(row);
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }

  async function ask(row, address, options) {
    if (row.getAttribute("aria-busy")) return null;
    row.setAttribute("aria-busy", "true");
    // A new log-in, in another tab, makes a new token.
    const token = /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie);
    if (options.body && token) options.body.set("csrfmiddlewaretoken", token[1]);
    try {
      const answer = await fetch(address, { credentials: "same-origin", ...options, headers: { "X-Row": "1" } });
      if (answer.redirected) tell(said.login);
      else if (answer.status === 404) tell(said.gone);
      else if (!answer.ok && answer.status !== 422) tell(said.lost);
      else return { text: await answer.text(), isRefused: answer.status === 422 };
    } catch {
      tell(said.lost);
    } finally {
      row.removeAttribute("aria-busy");
    }
    return null;
  }

  function replace(row, text) {
    const made = new DOMParser().parseFromString(text, "text/html").querySelector(".lead");
    const wasOn = row.classList.contains("on") || row.contains(document.activeElement);
    row.replaceWith(made);
    if (wasOn) choose(made);
    made.dispatchEvent(new CustomEvent("row:shown", { bubbles: true }));
    tick();
    return made;
  }

  async function send(row, address, body) {
    const answer = await ask(row, address, { method: "POST", body });
    if (!answer) return;
    // Whoever has gone on to another line, or to the search, stays there: what they type next is meant for that.
    const at = document.activeElement, isElsewhere = at && at !== document.body ? !row.contains(at) : !row.classList.contains("on");
    const made = replace(row, answer.text);
    if (isElsewhere) {
      tell(made.dataset.said || [...made.querySelectorAll(".told-first, .error")].map((one) => one.textContent.trim()).join(" "), made.dataset.undo);
    } else if (answer.isRefused) {
      choose(made);
      const wrong = made.querySelector(".field.wrong input, .field.wrong select, .field.wrong textarea");
      const first = wrong || made.querySelector(".told-first, .note.error") || made;
      first.focus();
      first.scrollIntoView({ block: "nearest" });
      announced.textContent = [...made.querySelectorAll(".told-first, .error")].map((one) => one.textContent.trim()).join(" ");
    } else {
      focusOn(made);
      tell(made.dataset.said || "", made.dataset.undo);
    }
  }

  async function open(row, address) {
    const back = post.elements.next.value;
    const answer = await ask(row, `${address}?next=${encodeURIComponent(back)}`, {});
    if (!answer) return;
    page.querySelectorAll(".lead .sheet").forEach((other) => { if (isUntouched(other)) other.remove(); });
    const made = replace(row, answer.text);
    choose(made);
    const sheet = made.querySelector(".sheet");
    const first = made.querySelector(".told-first, .sheet select, .sheet .usual button, .sheet input:not([type=hidden])");
    (first || made).focus({ preventScroll: true });
    (sheet || made).scrollIntoView({ block: "nearest" });
  }

  const isUntouched = (form) => [...form.querySelectorAll("textarea, input:not([type=hidden], [type=radio])")].every((one) => one.value === one.defaultValue);

  // Words that somebody has typed are lost only when they say so.
  function mayLose(row) {
    const sheet = row.querySelector(".sheet");
    return !sheet || isUntouched(sheet) || window.confirm(said.discard);
  }

  function close(row) {
    const sheet = row.querySelector(".sheet");
    if (!mayLose(row)) return;
    if (sheet) sheet.remove();
    focusOn(row);
  }

  const ASKING = ["log_attempt", "recycle", "reject", "hold"];

  function act(row, name) {
    if (row.classList.contains("gone") || (name === "accept" && !row.querySelector('[data-act="accept"]'))) return;
    if (!mayLose(row)) return;
    const address = row.dataset.address + name;
    if (ASKING.includes(name)) {
      open(row, address);
    } else {
      const body = new FormData(post);
      body.set("seen", row.dataset.seen);
      send(row, address, body);
    }
  }

  // --- What else is done with a lead ------------------------------------------------------------------------------------
  const menu = document.getElementById("others").content.firstElementChild;

  function closeMenu() {
    const row = menu.closest(".lead");
    menu.remove();
    if (row) row.querySelector("[data-others]").setAttribute("aria-expanded", "false");
    return row;
  }

  function openMenu(row) {
    const was = closeMenu();
    if (was === row) return;
    const isHeld = row.dataset.held !== undefined;
    menu.querySelector('[data-do="hold"]').hidden = isHeld;
    menu.querySelector('[data-do="release"]').hidden = !isHeld;
    menu.querySelector('[data-do="page"]').href = row.querySelector(".who a").href;
    row.querySelector(".acts").append(menu);
    row.querySelector("[data-others]").setAttribute("aria-expanded", "true");
    menu.querySelector("button").focus({ preventScroll: true });
  }

  page.addEventListener("click", (event) => {
    const row = event.target.closest(".lead");
    if (!row || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const part = event.target.closest("[data-act], [data-close], [data-others], [data-do]");
    choose(row);
    if (!part || part.dataset.do === "page") return;
    event.preventDefault();
    if (part.dataset.others !== undefined) openMenu(row);
    else if (part.dataset.close !== undefined) close(row);
    else {
      closeMenu();
      act(row, part.dataset.act || part.dataset.do);
    }
  });

  page.addEventListener("submit", (event) => {
    if (!event.target.matches(".sheet")) return;
    event.preventDefault();
    const body = new FormData(event.target);
    if (event.submitter && event.submitter.name) body.set(event.submitter.name, event.submitter.value);
    send(event.target.closest(".lead"), event.target.getAttribute("action"), body);
  });

  document.addEventListener("click", (event) => {
    if (menu.isConnected && !menu.contains(event.target) && !event.target.closest("[data-others]")) closeMenu();
  });
  page.addEventListener("focusin", (event) => choose(event.target.closest(".lead")));

  // Choosing narrows the list at once.
  const narrow = page.querySelector(".narrow-list");
  narrow.addEventListener("change", (event) => { if (event.target.matches("select")) narrow.requestSubmit(); });

  // --- Keys ---------------------------------------------------------------------------------------------------------------
  const acts = { c: "call", e: "mail", l: "log_attempt", a: "accept", r: "recycle", x: "reject" };
  const wanted = dialog.querySelector("[data-keys]");
  const help = document.querySelector("[data-help]");

  function stored() {
    try {
      return localStorage.getItem(KEYS) !== "off";
    } catch {
      return true;
    }
  }

  function useKeys(on) {
    wanted.checked = on;
    page.classList.toggle("with-keys", on);
  }
  useKeys(stored());
  wanted.addEventListener("change", () => {
    try {
      localStorage.setItem(KEYS, wanted.checked ? "on" : "off");
    } catch { /* a browser that keeps nothing */ }
    useKeys(wanted.checked);
  });
  help.hidden = false;
  help.addEventListener("click", () => dialog.showModal());

  function move(by) {
    const all = rows(), on = page.querySelector(".lead.on");
    if (!all.length) return;
    const from = on ? all.indexOf(on) : by > 0 ? -1 : all.length;
    const next = all[Math.min(Math.max(from + by, 0), all.length - 1)];
    focusOn(next);
    announced.textContent = "";
  }

  document.addEventListener("keydown", (event) => {
    const row = current(), isTyping = event.target.matches("input, select, textarea, [contenteditable]");
    if (event.key === "Escape" && !dialog.open && row) {
      if (menu.isConnected) focusOn(closeMenu());
      else if (row.querySelector(".sheet")) close(row);
      return;
    }
    if (isTyping || dialog.open || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || !wanted.checked) return;
    const key = event.key;
    if (key === "j") move(1);
    else if (key === "k") move(-1);
    else if (key === "/") document.getElementById("find").focus();
    else if (key === "?") dialog.showModal();
    else if (key === "u") takeBack();
    else if (!row) return;
    else if (key === "h") act(row, row.dataset.held !== undefined ? "release" : "hold");
    else if (key === "o") row.querySelector(".who a").click();
    else if (acts[key]) act(row, acts[key]);
    else return;
    event.preventDefault();
  });

  tick();
})();
