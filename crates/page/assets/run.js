"use strict";
// The run: its document, unpacked, and what is looked up in it.

/** Unpacks the document that the page carries: JSON, compressed by gzip, in base64. */
async function unpack(text) {
  const bytes = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(plain).json();
}

const seconds = (us) => (us / 1e6).toFixed(6) + " s";

const nodeName = (node) => "n" + node;

/** A document with what is looked up in it. Knows no element of the page. */
class Run {
  /** Of a run that goes on, `now_us` is its present, and `to_come` what is on its way then. */
  constructor(document, { now_us = null, to_come = { messages: [] } } = {}) {
    Object.assign(this, document, { now_us });
    this.onTheirWay = new Map(to_come.messages.map((one) => [one.message, one]));
    this.clientNames = new Map(this.clients.map((client) => [client.number, client.name]));
    this.patience_us = this.plan.raft.election_ticks * this.plan.cluster.tick_us;
    this.operationsAsked = new Map();
    this.answersGiven = new Map();
    this.operations.forEach((operation, place) => {
      for (const moment of operation.asked) listAt(this.operationsAsked, moment).push(place);
      operation.answers.forEach((answer) => {
        listAt(this.answersGiven, answer.moment).push({ place, answer });
      });
    });
    this.texts = [];
    this.told = new Set(this.story.map((line) => line.moment).filter((moment) => moment !== null));
  }

  /** The last moment of a step, or the last one before it. */
  momentOfStep(step) {
    let [low, high] = [0, this.moments.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.moments[middle].step <= step) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  /** A message took longer than an election time-out. */
  isLate(message) {
    if (message.taken === undefined) return false;
    const spent = this.moments[message.taken].time_us - this.moments[message.sent].time_us;
    return spent > this.patience_us;
  }

  /** What happened in a moment, in words. */
  words(place) {
    const moment = this.moments[place];
    const sent = (moment.sends || []).map((at) => {
      const message = this.messages[at];
      const lost = message.lost ? " (lost)" : "";
      return `sends to ${nodeName(message.to)}: ${message.text}${lost}`;
    });
    return [moment.text, ...(moment.lines || []), ...sent].filter((words) => words !== "");
  }

  /** The same as one text, in small letters: for searching. */
  searched(place) {
    return (this.texts[place] ??= this.words(place).join("\n").toLowerCase());
  }

  clientName(number) {
    return this.clientNames.get(number) || "client " + number;
  }
}

function listAt(map, key) {
  let list = map.get(key);
  if (!list) map.set(key, (list = []));
  return list;
}
