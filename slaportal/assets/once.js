// Two clicks on one button send a form once.
(() => {
  "use strict";
  const WAIT = 3000;
  let sent = new WeakMap();

  document.addEventListener("submit", (event) => {
    const form = event.target;
    // A script that sends it by itself looks after that by itself.
    if (event.defaultPrevented || form.method !== "post") return;
    if (Date.now() - (sent.get(form) || 0) < WAIT) event.preventDefault();
    else sent.set(form, Date.now());
  });
  window.addEventListener("pageshow", () => { sent = new WeakMap(); });
})();
