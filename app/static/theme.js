// Before the first paint: dark, unless the reader has chosen otherwise. A classic script, because modules come too late for that.
// Dark does not give way to prefers-color-scheme by itself: browsers say "light" also for systems that prefer nothing.
{
  let chosen = null;
  try {
    chosen = localStorage.getItem("galsynth-theme");
  } catch {
    // The reader has blocked site data.
  }
  document.documentElement.dataset.theme = ["light", "auto"].includes(chosen) ? chosen : "dark";
}
