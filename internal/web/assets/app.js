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

document.addEventListener("htmx:afterSwap", (e) => {
  if (e.detail.target.id === "problem" || document.querySelector("#problem > *")) mark();
});

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

// data-live="URL": server-sent events, each the markup of this element's content.
function follow(element) {
  const source = new EventSource(element.dataset.live);
  source.addEventListener("part", (e) => {
    if (!element.isConnected) return source.close();
    element.innerHTML = e.data;
    window.htmx.process(element);
  });
  source.addEventListener("end", () => {
    source.close();
    const after = element.dataset.after; // where to go on when it has ended
    const here = window.location; // what is asked for here stays, and so does the notice that it brings
    if (after) here.assign(after + (here.pathname === after ? here.search : ""));
  });
}
for (const element of document.querySelectorAll("[data-live]")) follow(element);

// data-sure="question" asks before a form is sent.
document.addEventListener("submit", (e) => {
  const question = e.target.dataset.sure;
  if (question && !window.confirm(question)) {
    e.preventDefault();
    e.stopImmediatePropagation();
  }
}, true);
