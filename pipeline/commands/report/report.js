"use strict";
(() => {
  const root = document.documentElement;
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  const search = document.getElementById("search");
  const status = document.getElementById("status");
  const count = document.getElementById("count");
  const rows = [...document.querySelectorAll("details.row")];
  const words = new Map();
  const textOf = (row) => {
    if (!words.has(row)) words.set(row, row.textContent.toLowerCase());
    return words.get(row);
  };
  const filter = () => {
    const sought = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const kinds = row.dataset.kinds.split(" ");
      const fits = (!status.value || kinds.includes(status.value)) && sought.every((word) => textOf(row).includes(word));
      row.hidden = !fits;
      if (fits) shown += 1;
    }
    count.textContent = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows`;
  };
  search.addEventListener("input", filter);
  status.addEventListener("change", filter);
  for (const link of document.querySelectorAll("button[data-show]")) {
    link.addEventListener("click", () => {
      status.value = link.dataset.show;
      filter();
      search.scrollIntoView({ block: "center" });
    });
  }
  const show = (link) => {
    const row = link.closest("details.row");
    for (const old of row.querySelectorAll(".on, [aria-current]")) {
      old.classList.remove("on");
      old.removeAttribute("aria-current");
    }
    const marks = [...row.querySelectorAll(`mark[data-of~="${link.dataset.mark}"]`)];
    for (const mark of marks) mark.classList.add("on");
    link.setAttribute("aria-current", "true");
    const pane = row.querySelector(".source");
    const above = marks[0].getBoundingClientRect().top - pane.getBoundingClientRect().top;
    pane.scrollTop += above - pane.clientHeight / 3;
    pane.scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-mark]");
    if (!link) return;
    event.preventDefault();
    show(link);
  });
  filter();
})();
