"use strict";
// How every node stood after any moment.

/** One moment in so many has all states kept. */
const KEPT_EVERY = 500;

/** The states of all nodes, followed from change to change. Knows no element of the page. */
class States {
  constructor(run) {
    this.run = run;
    this.kept = [];
    const now = this.#begin();
    run.moments.forEach((moment, place) => {
      if (place % KEPT_EVERY === 0) this.kept.push(copy(now));
      this.#follow(now, moment);
    });
  }

  #begin() {
    const nodes = [];
    for (let id = 1; id <= this.run.nodes; id += 1) {
      nodes.push({ id, state: "down", role: "follower", term: 0, vote: 0, commit: 0, applied: 0,
        snapshot: 0, incarnation: 0, first: 1, log: [], configuration: null,
        disk: { term: 0, vote: 0, snapshot: 0, last: 0, unsynced: 0 } });
    }
    return { nodes, cuts: [], locks: [] };
  }

  /** The state after the moment at `place`. */
  after(place) {
    const keptAt = Math.floor(place / KEPT_EVERY);
    const now = copy(this.kept[keptAt] || this.#begin());
    for (let at = keptAt * KEPT_EVERY; at <= place; at += 1) this.#follow(now, this.run.moments[at]);
    return now;
  }

  #follow(now, moment) {
    if (moment.cuts) now.cuts = moment.cuts;
    if (moment.locks) now.locks = moment.locks;
    for (const change of moment.changes || []) {
      const node = now.nodes[change.node - 1];
      const { log, ...plain } = change;
      delete plain.node;
      Object.assign(node, plain);
      if (log) {
        // A log is never changed in place: states that are kept share it.
        const gone = Math.max(0, log.first - node.first);
        node.log = node.log.slice(gone, Math.max(0, log.from - node.first)).concat(log.entries);
        node.first = log.first;
      }
    }
  }
}

function copy(state) {
  return { ...state, nodes: state.nodes.map((node) => ({ ...node })) };
}

/** Where the logs of nodes have entries of different terms. */
function disputedIndices(state) {
  const terms = new Map();
  const disputed = new Set();
  for (const node of state.nodes) {
    node.log.forEach(({ term }, at) => {
      const index = node.first + at;
      const known = terms.get(index);
      if (known === undefined) terms.set(index, term);
      else if (known !== term) disputed.add(index);
    });
  }
  return disputed;
}

/** The terms of the committed entries that some node still has, by index. */
function committedTerms(state) {
  const terms = new Map();
  for (const node of state.nodes) {
    const last = Math.min(node.commit, node.first + node.log.length - 1);
    for (let index = node.first; index <= last; index += 1) {
      if (!terms.has(index)) terms.set(index, node.log[index - node.first].term);
    }
  }
  return terms;
}
