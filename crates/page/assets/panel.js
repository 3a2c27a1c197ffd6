"use strict";
// How the cluster stands after the chosen moment, and what happened in it.

/** Entries of a log that are shown: the last ones, and those before are counted. */
const MOST_ENTRIES = 40;

function make(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

class Panel {
  constructor(places) {
    this.places = places;
  }

  /** Is about this run from now on. */
  open(run) {
    this.run = run;
  }

  /** Shows a moment, and the state after it. */
  show(place, state) {
    const { run, places } = this;
    const moment = run.moments[place];
    places.at.textContent = `after step ${moment.step}, ${seconds(moment.time_us)}`;
    places.moment.replaceChildren(...this.#moment(place, moment));
    const committed = committedTerms(state);
    const touched = new Set((moment.changes || []).map((change) => change.node));
    // What changes comes first, for there may be more nodes than fit.
    const isFirst = (node) => touched.has(node.id) || node.id === moment.node;
    const order = [...state.nodes.filter(isFirst), ...state.nodes.filter((node) => !isFirst(node))];
    const disputed = disputedIndices(state);
    if (!run.has_states) {
      const words = "What was tested keeps its state to itself: nothing is known of the nodes but what they have told.";
      places.nodes.replaceChildren(make("p", { class: "note" }, words));
      places.around.replaceChildren();
      return;
    }
    places.nodes.replaceChildren(...order.map((node) => this.#node(node, committed, disputed, isFirst(node))));
    const around = [this.#cuts(state), this.#locks(state), this.#operations(place)];
    places.around.replaceChildren(...around.filter((part) => part !== null));
  }

  #moment(place, moment) {
    const { run } = this;
    const who = moment.node === undefined ? null : make("b", {}, nodeName(moment.node) + " ");
    const [first, ...rest] = run.words(place);
    const told = [make("p", { class: "first" }, who, first || "")];
    if (rest.length > 0) told.push(make("ul", {}, ...rest.map((words) => make("li", {}, words))));
    if (run.violation && place === run.violation.moment) {
      told.push(make("p", { class: "broken" }, `✱ breaks ${run.violation.property}: ${run.violation.message}`));
      told.push(this.#fields(run.violation.fields));
    }
    const message = moment.message === undefined ? null : run.messages[moment.message];
    if (message) {
      const sent = run.moments[message.sent];
      told.push(make("p", { class: "sent" }, "sent in ",
        make("a", { href: `#step=${sent.step}` }, `step ${sent.step}`), ` at ${seconds(sent.time_us)}`,
        run.isLate(message) ? ", longer ago than an election time-out" : ""));
    }
    return told;
  }

  #fields(fields) {
    const list = make("dl", { class: "fields" });
    for (const [name, value] of Object.entries(fields)) {
      const plain = typeof value === "object" ? JSON.stringify(value) : String(value);
      list.append(make("dt", {}, name), make("dd", {}, plain));
    }
    return list;
  }

  #node(node, committed, disputed, touched) {
    const role = node.state === "up" ? node.role : node.state === "still" ? `${node.role}, paused` : node.state;
    const classes = ["node", node.state, node.state === "up" || node.state === "still" ? node.role : "", touched ? "touched" : ""];
    const last = node.first + node.log.length - 1;
    const facts = [
      ["term", node.term, node.disk.term],
      ["vote", node.vote ? nodeName(node.vote) : "none", node.disk.vote ? nodeName(node.disk.vote) : "none"],
      ["snapshot", node.snapshot || "none", node.disk.snapshot || "none"],
      ["log", last >= node.first ? `${node.first} to ${last}` : "empty", node.disk.last ? `to ${node.disk.last}` : "empty"],
    ];
    const rows = facts.map(([name, here, there]) => make("tr", { class: here === there || name === "log" ? null : "differs" },
      make("th", { scope: "row" }, name), make("td", {}, String(here)), make("td", {}, String(there))));
    const starts = node.incarnation === 1 ? "1 restart" : `${node.incarnation} restarts`;
    return make("article", { class: classes.join(" ").trim(), "data-node": node.id, "aria-label": nodeName(node.id) },
      make("h3", {}, nodeName(node.id), " ", make("span", { class: "role" }, role)),
      make("table", {},
        make("thead", {}, make("tr", {}, make("th", {}), make("th", { scope: "col" }, "node"), make("th", { scope: "col" }, "its disk"))),
        make("tbody", {}, ...rows)),
      make("p", { class: "marks" }, `committed to ${node.commit}, applied to ${node.applied}; ${starts}` +
        (node.disk.unsynced ? `; ${node.disk.unsynced === 1 ? "1 record is" : `${node.disk.unsynced} records are`} not on the disk yet` : "")),
      make("p", { class: "configuration" }, this.#configuration(node.configuration)),
      this.#log(node, committed, disputed));
  }

  #configuration(from) {
    if (!from) return "no configuration";
    const list = (nodes) => nodes.map(nodeName).join(", ");
    const parts = [];
    if (from.voters.length) parts.push(`voters ${list(from.voters)}`);
    if (from.outgoing.length) parts.push(`outgoing ${list(from.outgoing)}`);
    if (from.learners.length) parts.push(`learners ${list(from.learners)}`);
    if (from.learners_next.length) parts.push(`then learners ${list(from.learners_next)}`);
    return parts.length ? `${parts.join("; ")} (from entry ${from.index})` : "no configuration yet";
  }

  #log(node, committed, disputed) {
    const { run } = this;
    const list = make("ol", { class: "log", "aria-label": `log of ${nodeName(node.id)}` });
    const from = Math.max(0, node.log.length - MOST_ENTRIES);
    if (node.first + from > 1) {
      const before = node.first + from - 1;
      list.append(make("li", { class: "before", title: `entries up to ${before}: ${node.snapshot >= node.first - 1 && node.snapshot ? "a snapshot stands for some of them" : "not shown"}` }, `…${before}`));
    }
    node.log.slice(from).forEach((entry, offset) => {
      const index = node.first + from + offset;
      const isCommitted = committed.get(index) === entry.term;
      const conflicts = committed.has(index) && !isCommitted;
      const operation = entry.operation === undefined ? null : run.operations[entry.operation];
      const what = entry.changes ? "a change of the configuration"
        : operation ? `${run.clientName(operation.client)}: ${operation.text}` : "empty, or before the run";
      const classes = ["entry",
        index <= node.disk.last ? "durable" : "unsynced",
        index <= node.commit ? "known" : isCommitted ? "committed" : "",
        index <= node.applied ? "applied" : "",
        conflicts ? "conflicts" : "",
        !committed.has(index) && disputed.has(index) ? "disputed" : ""];
      const words = [`entry ${index} of term ${entry.term}`, what,
        index <= node.disk.last ? "on the disk" : "not on the disk",
        index <= node.applied ? "applied" : index <= node.commit ? "known to be committed" : isCommitted ? "committed, and not known here" : "not committed",
        conflicts ? "CONFLICTS with the committed entry" : "",
        !committed.has(index) && disputed.has(index) ? "another node has an entry of another term here" : ""].filter((part) => part !== "");
      list.append(make("li", { class: classes.join(" ").trim(), title: words.join("; "), "data-index": index },
        make("span", { class: "index" }, String(index)), make("span", { class: "term" }, `t${entry.term}`),
        make("span", { class: "what" }, entry.changes ? "⚙" : conflicts ? "≠" : operation ? "•" : "")));
    });
    return list;
  }

  #cuts(state) {
    const links = state.cuts.map(([from, to]) => `${nodeName(from)} → ${nodeName(to)}`);
    return make("section", { class: "cuts" }, make("h3", {}, "Network"),
      make("p", {}, links.length ? `cut: ${links.join(", ")}` : "no link is cut"));
  }

  #locks(state) {
    const held = state.locks.map((lock, number) => {
      if (!lock) return null;
      const until = lock.until_us === null ? "until it is revoked" : `until ${seconds(lock.until_us)}`;
      return make("li", {}, `lock ${number}: ${this.run.clientName(lock.client)}, token ${lock.token}, ${until}`);
    }).filter((item) => item !== null);
    if (held.length === 0) return null;
    return make("section", { class: "locks" }, make("h3", {}, "Locks, by what is committed"), make("ul", {}, ...held));
  }

  /** The operations that are under way, and those that ended last. */
  #operations(place) {
    const { run } = this;
    const rows = [];
    for (let at = run.operations.length - 1; at >= 0 && rows.length < 12; at -= 1) {
      const operation = run.operations[at];
      if (operation.asked.length === 0 || operation.asked[0] > place) continue;
      const answer = operation.answers.filter((one) => one.moment <= place && !one.refused).at(0);
      const refused = operation.answers.filter((one) => one.moment <= place && one.refused).length;
      const tries = operation.asked.filter((moment) => moment <= place).length;
      const asked = run.moments[operation.asked[0]];
      rows.push(make("tr", { class: answer ? "done" : "open" },
        make("td", {}, run.clientName(operation.client)),
        make("td", {}, operation.text),
        make("td", {}, make("a", { href: `#step=${asked.step}` }, seconds(asked.time_us)), tries > 1 ? ` (${tries} tries)` : ""),
        make("td", {}, answer ? make("a", { href: `#step=${run.moments[answer.moment].step}` }, seconds(run.moments[answer.moment].time_us)) : "…"),
        make("td", {}, answer ? answer.text : refused ? "refused so far" : "no answer yet")));
    }
    if (rows.length === 0) return null;
    const head = ["client", "asks for", "from", "to", "answer"].map((name) => make("th", { scope: "col" }, name));
    return make("section", { class: "operations" }, make("h3", {}, "Clients: the newest operations"),
      make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)));
  }
}
