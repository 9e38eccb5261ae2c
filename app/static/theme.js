// Before the first paint: dark, unless the reader prefers light. A classic script, because modules come too late for that.
(() => {
  const chosen = localStorage.getItem("galsynth-theme");
  const light = matchMedia("(prefers-color-scheme: light)").matches;
  document.documentElement.dataset.theme = chosen ?? (light ? "light" : "dark");
})();
