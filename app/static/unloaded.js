// A module that does not come, as when the network changes meanwhile, leaves an empty page. No module can say so: this classic script does.
addEventListener(
  "error",
  ({ target }) => {
    if (target.type !== "module") return;
    const again = document.createElement("button");
    again.textContent = "Load it again";
    again.onclick = () => location.reload();
    const said = document.createElement("p");
    said.className = "notice";
    said.setAttribute("role", "alert");
    said.append("Not all of this page arrived. ", again);
    const show = () => document.getElementById("page").replaceChildren(said);
    if (document.readyState === "loading") addEventListener("DOMContentLoaded", show);
    else show();
  },
  true,
);
