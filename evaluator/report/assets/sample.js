"use strict";

// A sample's page: switches for the outlines; no head and foot where the sample browser shows it.

if (window.self !== window.top) document.documentElement.classList.add("framed");

for (const box of document.querySelectorAll("input[data-outline]")) {
  const apply = () => {
    for (const group of document.querySelectorAll(`g[data-kind="${box.dataset.outline}"]`)) {
      group.style.display = box.checked ? "" : "none";
    }
  };
  box.addEventListener("change", apply);
  apply(); // a browser may restore what was unchecked before
}
