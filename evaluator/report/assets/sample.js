"use strict";

// A sample's page: switches for the outlines; no head and foot where the sample browser shows it.

if (window.self !== window.top) {
  document.documentElement.classList.add("framed");
  // The keys go to whichever of the two has the focus. Pages from disk have no origin that could be named.
  document.addEventListener("keydown", (event) => {
    const keys = ["ArrowLeft", "ArrowRight", "Escape"];
    if (keys.includes(event.key) && !(event.ctrlKey || event.altKey || event.metaKey || event.shiftKey)) {
      window.parent.postMessage({ hookeKey: event.key }, "*");
    }
  });
}

for (const box of document.querySelectorAll("input[data-outline]")) {
  const apply = () => {
    for (const group of document.querySelectorAll(`g[data-kind="${box.dataset.outline}"]`)) {
      group.style.display = box.checked ? "" : "none";
    }
  };
  box.addEventListener("change", apply);
  apply(); // a browser may restore what was unchecked before
}
