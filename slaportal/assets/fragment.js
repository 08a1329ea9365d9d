// Opens the form that the address names: “…/handoffs/12/#answer_miss” from a list leads to where one types.
(() => {
  "use strict";

  function open() {
    const named = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!named || named.tagName !== "DETAILS") return;
    named.open = true;
    named.scrollIntoView({ block: "center" });
    named.querySelector("select, textarea, input:not([type=hidden])")?.focus({ preventScroll: true });
  }

  window.addEventListener("hashchange", open);
  // The browser goes to the fragment by itself when the page has loaded, and takes the focus away.
  if (document.readyState === "complete") open();
  else window.addEventListener("load", () => setTimeout(open));
})();
