// Before the first paint: dark, unless the reader has chosen otherwise. A classic script, because modules come too late for that.
// Dark does not give way to prefers-color-scheme by itself: browsers say "light" also for systems that prefer nothing.
{
  const chosen = localStorage.getItem("galsynth-theme");
  document.documentElement.dataset.theme = ["light", "auto"].includes(chosen) ? chosen : "dark";
}
