// What pages do beyond htmx. All works without it, more roughly.
"use strict";

// Marks the fields that a problem is about, and brings the reader to it.
function mark() {
  for (const old of document.querySelectorAll("[aria-invalid]")) old.removeAttribute("aria-invalid");
  for (const text of document.querySelectorAll("form .error")) {
    text.hidden = true;
    text.closest(".field").classList.remove("wrong");
  }
  const problem = document.getElementById("problem");
  if (!problem || !problem.firstElementChild) return;
  for (const link of problem.querySelectorAll("[data-wrong]")) {
    const field = document.getElementById(link.dataset.wrong);
    const text = document.getElementById(link.dataset.wrong + "-error");
    if (!field || !text) continue;
    field.setAttribute("aria-invalid", "true");
    text.textContent = link.parentElement.textContent.replace(/^[^:]*: /, "");
    text.hidden = false;
    text.closest(".field").classList.add("wrong");
  }
  problem.focus({preventScroll: true});
  problem.scrollIntoView({block: "nearest"});
}

// Swaps bring a problem as a new element; those of other parts leave the one that is read alone.
let marked = document.getElementById("problem");
document.addEventListener("htmx:afterSwap", () => {
  const problem = document.getElementById("problem");
  if (problem === marked) return;
  marked = problem;
  mark();
});

// A notice is said once: not when the page is loaded again.
const address = new URL(window.location);
if (address.searchParams.has("done")) {
  address.searchParams.delete("done");
  window.history.replaceState(window.history.state, "", address);
}

// A connection that broke is said where problems are said.
document.addEventListener("htmx:sendError", () => {
  const problem = document.getElementById("problem");
  if (!problem) return;
  problem.innerHTML = "<div class=\"note bad\"><p><strong>The server could not be reached. Nothing you typed is lost: try again.</strong></p></div>";
  mark();
});

// A file that is dropped onto a field is read into it, here in the browser.
for (const area of document.querySelectorAll("textarea[data-drop]")) {
  area.addEventListener("dragover", (e) => e.preventDefault());
  area.addEventListener("drop", async (e) => {
    const file = e.dataTransfer.files[0];
    if (!file) return;
    e.preventDefault();
    if (file.size < 500000) area.value = await file.text();
  });
}

// Whether text within an element is selected, which replacing the element would undo.
function selected(element) {
  const selection = document.getSelection();
  return !selection.isCollapsed && selection.containsNode(element, true);
}

// data-live="URL": server-sent events, each the markup of this element's content. htmx keeps the focus on what has an id.
function follow(element) {
  const source = new EventSource(element.dataset.live);
  let shown;
  source.addEventListener("part", (e) => {
    if (!element.isConnected) return source.close();
    if (e.data === shown || selected(element)) return; // another comes soon
    shown = e.data;
    window.htmx.swap(element, shown, {swapStyle: "innerHTML", ignoreTitle: true});
  });
  source.addEventListener("end", () => {
    source.close();
    const around = document.querySelector(element.getAttribute("hx-target"));
    (function renew() { // hx-trigger="ended" asks for all that the end has changed
      if (selected(around)) document.addEventListener("selectionchange", renew, {once: true});
      else window.htmx.trigger(element, "ended");
    })();
  });
}
window.htmx.onLoad((part) => {
  for (const element of part.querySelectorAll("[data-live]")) follow(element);
});

// data-sure="question" asks before a form is sent.
document.addEventListener("submit", (e) => {
  const question = e.target.dataset.sure;
  if (question && !window.confirm(question)) {
    e.preventDefault();
    e.stopImmediatePropagation();
  }
}, true);
