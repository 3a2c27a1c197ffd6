"use strict";
// What is told of a run that is played: how it stands, its story, and what was played.

/** A length of time in the shortest words that say it exactly, as stories have it. */
function timeWords(us) {
  if (us % 1_000_000 === 0) return `${us / 1_000_000}s`;
  if (us % 1_000 === 0) return `${us / 1_000}ms`;
  return `${us}us`;
}

const milliseconds = (us) => `${(us / 1000).toFixed(3)} ms`;

/** How the run stands, in the head of the page. */
function tellOutcome(state) {
  const { violation, end } = state.document;
  $("verdict").className = `verdict ${violation ? "broken" : "clean"}`;
  $("badge").textContent = violation ? "violation" : state.is_healed ? "over" : "playing";
  $("present").textContent = `at ${milliseconds(state.now_us)}, after ${end.steps} steps`;
  $("outcome").textContent = violation ? violation.message
    : state.is_healed ? "Everything is healed, and the cluster has converged: no rule is broken"
    : state.has_begun ? "No rule is broken so far" : "Nothing has happened yet: let time pass, or have a node campaign";
  $("rule").hidden = !violation;
  $("rule").textContent = violation ? `${violation.property}: ${violation.rule}. ${violation.source}. Undo takes it back.` : "";
}

/** The story's lines, each with its moment. */
function tellStory(list, story) {
  list.replaceChildren(...story.map((line) => {
    const item = make("li", { "data-moment": line.moment });
    if (line.step !== null) {
      item.append(make("a", { href: line.moment === null ? `#step=${line.step}` : `#moment=${line.moment}` },
        make("span", { class: "when" }, seconds(line.time_us)), " ", make("span", { class: "step" }, `step ${line.step}`)), " ");
    }
    if (line.node !== null) item.append(make("b", {}, nodeName(line.node)), " ");
    item.append(line.text);
    return item;
  }));
}

/** What was played, and what was taken back. */
function tellPlayed(list, { played, undone }) {
  const item = ({ lines }, name) => make("li", { class: name }, ...lines.map((line) => {
    return make("code", { class: line.startsWith("#") ? "remark" : null }, line);
  }));
  list.replaceChildren(...played.map((act) => item(act, null)), ...undone.map((act) => item(act, "undone")));
  const last = list.children[played.length - 1];
  list.scrollTop = last ? last.offsetTop + last.offsetHeight - list.clientHeight : 0;
}
