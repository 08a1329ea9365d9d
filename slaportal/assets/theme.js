// Light, dark or as the device: kept under the admin's own key, so that one choice holds in both halves of the site.
(() => {
  "use strict";
  const KEY = "adminTheme";
  const device = window.matchMedia("(prefers-color-scheme: dark)");

  const chosen = () => {
    try {
      return JSON.parse(localStorage.getItem(KEY)) || "auto";
    } catch {
      return "auto";
    }
  };

  const show = () => {
    const theme = chosen();
    document.documentElement.classList.toggle("dark", theme === "dark" || (theme === "auto" && device.matches));
    for (const button of document.querySelectorAll("[data-theme]")) {
      button.setAttribute("aria-pressed", String(button.dataset.theme === theme));
    }
  };

  show();
  device.addEventListener("change", show);
  window.addEventListener("storage", show);

  document.addEventListener("DOMContentLoaded", () => {
    for (const group of document.querySelectorAll(".theme")) group.hidden = false;
    for (const button of document.querySelectorAll("[data-theme]")) {
      button.addEventListener("click", () => {
        localStorage.setItem(KEY, JSON.stringify(button.dataset.theme));
        show();
      });
    }
    show();
  });
})();
