"use strict";
// Which moments the diagram shows.

/** How much is shown. */
const SHOWN = [
  ["story", "the story", (run, moment, place) => run.told.has(place)],
  ["past", "what led to it", (run, moment, place) => moment.past && matters(run, moment) || run.told.has(place)],
  ["notable", "what changes something", (run, moment, place) => matters(run, moment) || run.told.has(place)],
  ["all", "everything", () => true],
];

/** Whether a moment changes something, or sends something that does. Heartbeats alone do not. */
function matters(run, moment) {
  const isTick = moment.kind === "tick" && !moment.lines && !moment.changes;
  const arrives = (at) => run.messages[at].taken !== undefined || run.onTheirWay.has(at);
  const carries = (at) => !run.messages[at].kind.startsWith("heartbeat") && arrives(at);
  return (moment.notable && !isTick) || (moment.sends || []).some(carries);
}

/** Whether a moment has to do with the entry at `index`. */
function isAboutEntry(run, moment, place, index) {
  const inLog = (moment.changes || []).some(({ log }) => {
    return log && log.from <= index && index < log.from + log.entries.length;
  });
  return inLog || namesEntry(run.searched(place), index);
}

function namesEntry(words, index) {
  for (const [, first, last, named] of words.matchAll(/\bentr(?:y|ies) (\d+)(?: to (\d+))?|\b(?:holds|commit|knows|applies|rejects|after) (\d+)\b/g)) {
    if (named !== undefined ? Number(named) === index : Number(first) <= index && index <= Number(last || first)) return true;
  }
  return false;
}

/** Whether a moment carries, sends or enters `term`. */
function isAboutTerm(run, moment, place, term) {
  const of = (at) => at !== undefined && run.messages[at].term === term;
  return of(moment.message)
    || (moment.sends || []).some(of)
    || (moment.changes || []).some((change) => change.term === term)
    || new RegExp(`\\bterm ${term}\\b`).test(run.searched(place));
}

/** Whether a moment is one of a node, or a message of it goes to that node or comes from there. */
function isAboutNode(run, moment, node) {
  const of = (at) => at !== undefined && (run.messages[at].from === node || run.messages[at].to === node);
  return moment.node === undefined || moment.node === node || of(moment.message);
}

/** Whether a moment takes in or sends a message of this kind, or is of it. */
function isOfKind(run, moment, kind) {
  const of = (at) => at !== undefined && run.messages[at].kind === kind;
  return moment.kind === kind || of(moment.message) || (moment.sends || []).some(of);
}

/** The places of the moments that are shown, in order. */
function shownMoments(run, wanted) {
  const [, , isShown] = SHOWN.find(([name]) => name === wanted.show);
  const words = wanted.words.toLowerCase().trim();
  const shown = [];
  run.moments.forEach((moment, place) => {
    const broken = run.violation && place === run.violation.moment;
    const matches = isShown(run, moment, place)
      && (wanted.node === null || isAboutNode(run, moment, wanted.node))
      && (wanted.kind === "" || isOfKind(run, moment, wanted.kind))
      && (wanted.term === null || isAboutTerm(run, moment, place, wanted.term))
      && (wanted.entry === null || isAboutEntry(run, moment, place, wanted.entry))
      && (words === "" || run.searched(place).includes(words));
    if (matches || broken) shown.push(place);
  });
  return shown;
}
