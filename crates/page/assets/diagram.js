"use strict";
// The space-time diagram: a lane a node, time downwards. Only what is in view is drawn.

const ROW = 22;
const TIME_WIDTH = 132;
const NOW = 0.9; // Rows from the last one to the present of a run that goes on.
const SPAN = 64; // Rows of a bucket in which messages are looked up.

const SVG = "http://www.w3.org/2000/svg";

/** How roles are told apart: by colour, and by the line. */
const ROLES = [
  ["leader", "leader: a thick line"],
  ["candidate", "candidate: dashes"],
  ["pre-candidate", "pre-candidate: long dashes"],
  ["follower", "follower: a thin line"],
  ["still", "paused: dots"],
  ["down", "down: no line"],
];

function element(name, attributes, parent, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

class Diagram {
  /** What is clicked goes to `choose`, as a moment, or to `take`, as a message on its way. */
  constructor(scroll, canvas, lanes, choose, take) {
    Object.assign(this, { scroll, canvas, lanesRow: lanes, choose, take });
    this.svg = element("svg", { class: "drawing", "aria-hidden": "true" }, canvas);
    scroll.addEventListener("scroll", () => this.#soon());
    new ResizeObserver(() => this.#resize()).observe(scroll);
    canvas.addEventListener("click", (event) => this.#click(event));
  }

  /** Is about this run from now on. */
  open(run) {
    this.run = run;
    this.x = undefined;
    this.chosen = 0;
    this.shown = [];
  }

  /** Shows these moments. */
  show(shown) {
    this.shown = shown;
    // -1 where a moment is not shown.
    this.rowOf = new Int32Array(this.run.moments.length).fill(-1);
    shown.forEach((place, row) => { this.rowOf[place] = row; });
    this.canvas.style.height = `${(shown.length + (this.run.now_us === null ? 1 : 1.5 + NOW / 2)) * ROW}px`;
    const letters = shown.map((place) => this.#line(place).length);
    this.longest = letters.reduce((most, some) => Math.max(most, some), 0);
    this.#followRoles();
    this.#sortMessages();
    this.#resize();
  }

  /** Marks a moment, and brings it into view. */
  mark(place) {
    this.chosen = place;
    const row = this.rowBefore(place);
    const top = row * ROW;
    const { scrollTop, clientHeight } = this.scroll;
    if (top < scrollTop + 2 * ROW || top > scrollTop + clientHeight - 3 * ROW) {
      this.scroll.scrollTop = Math.max(0, top - clientHeight / 2);
    }
    this.draw();
  }

  /** The row of a moment, or of the last one before it that is shown. */
  rowBefore(place) {
    if (this.rowOf[place] >= 0) return this.rowOf[place];
    let [low, high] = [0, this.shown.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.shown[middle] <= place) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  #lanes() {
    const lanes = [{ name: "clients", of: "clients" }];
    for (let id = 1; id <= this.run.nodes; id += 1) lanes.push({ name: nodeName(id), of: id });
    lanes.push({ name: "operator, faults", of: "world" });
    return lanes;
  }

  #resize() {
    if (!this.run) return;
    const lanes = this.#lanes();
    const width = this.scroll.clientWidth;
    const words = Math.min(520, width * 0.44);
    this.laneWidth = Math.max(46, Math.min(110, (width - TIME_WIDTH - words) / lanes.length));
    this.wordsAt = TIME_WIDTH + lanes.length * this.laneWidth;
    // Words of a row are never cut: whoever scrolls to the right sees them whole.
    this.width = Math.max(width, this.wordsAt + 40 + Math.min(this.longest, 1000) * 6.6);
    this.canvas.style.width = `${this.width}px`;
    this.x = new Map(lanes.map(({ of }, at) => [of, TIME_WIDTH + (at + 0.5) * this.laneWidth]));
    this.lanesRow.replaceChildren(...lanes.map(({ name, of }) => {
      const head = document.createElement("span");
      head.textContent = of === "world" && this.laneWidth < 100 ? "operator" : name;
      if (typeof of === "number") head.dataset.node = of;
      head.style.left = `${this.x.get(of)}px`;
      return head;
    }));
    this.draw();
  }

  /** Where the line of each node changes, by rows. */
  #followRoles() {
    const { run, shown } = this;
    this.segments = Array.from({ length: run.nodes }, () => []);
    this.cuts = [];
    const now = this.segments.map(() => ({ state: "down", role: "follower", term: 0, vote: 0, snapshot: 0, last: 0,
      disk: { term: 0, vote: 0, snapshot: 0, last: 0 } }));
    let place = 0;
    shown.forEach((until, row) => {
      const touched = new Set(row === 0 ? now.keys() : []);
      for (; place <= until; place += 1) {
        const { changes, cuts } = run.moments[place];
        if (cuts) this.cuts.push({ row, count: cuts.length });
        for (const change of changes || []) {
          const node = now[change.node - 1];
          if (change.state !== undefined) node.state = change.state;
          if (change.role !== undefined) node.role = change.role;
          for (const name of ["term", "vote", "snapshot", "disk"]) {
            if (change[name] !== undefined) node[name] = change[name];
          }
          if (change.log) node.last = change.log.from + change.log.entries.length - 1;
          touched.add(change.node - 1);
        }
      }
      for (const at of touched) {
        const { state, role, term, vote, snapshot, last: lastEntry, disk } = now[at];
        const line = !run.has_states ? "unknown" : state === "up" ? role : state === "still" ? "still" : "down";
        // A commit index that is not on the disk is nothing to wait for.
        const syncs = term !== disk.term || vote !== disk.vote || snapshot !== disk.snapshot
          || lastEntry > Math.max(disk.last, disk.snapshot);
        const last = this.segments[at].at(-1);
        if (!last || last.line !== line || last.syncs !== syncs) this.segments[at].push({ row, line, syncs });
      }
    });
  }

  #sortMessages() {
    const { run, rowOf } = this;
    this.buckets = new Map();
    this.longMessages = [];
    run.messages.forEach((message, at) => {
      const rowAt = (place) => (place === undefined || rowOf[place] < 0 ? undefined : rowOf[place]);
      const from = rowAt(message.sent);
      const to = rowAt(message.taken);
      if (from === undefined && to === undefined) return;
      const first = from ?? to;
      const last = run.onTheirWay.has(at) ? this.shown.length : to ?? from;
      const drawn = { message, at, from, to };
      if (last - first > 20 * SPAN) {
        this.longMessages.push(drawn);
        return;
      }
      for (let bucket = Math.floor(first / SPAN); bucket <= Math.floor(last / SPAN); bucket += 1) {
        listAt(this.buckets, bucket).push(drawn);
      }
    });
  }

  #soon() {
    this.lanesRow.style.transform = `translateX(${-this.scroll.scrollLeft}px)`;
    if (this.waits) return;
    this.waits = true;
    requestAnimationFrame(() => {
      this.waits = false;
      this.draw();
    });
  }

  #click(event) {
    const onItsWay = event.target.closest(".message.on-its-way");
    if (onItsWay) {
      this.take(Number(onItsWay.dataset.message));
      return;
    }
    const row = Math.floor((event.clientY - this.canvas.getBoundingClientRect().top) / ROW);
    const at = Math.max(0, Math.min(this.shown.length - 1, row));
    if (this.shown.length > 0) this.choose(this.shown[at]);
  }

  /** Draws the rows that are in view, or all of them. */
  draw(everything = false) {
    if (!this.x) return;
    const { scrollTop, clientHeight } = this.scroll;
    // A run that has become shorter was scrolled further than it is long.
    const top = Math.min(Math.floor(scrollTop / ROW) - 10, this.shown.length - 1);
    const first = everything ? 0 : Math.max(0, top);
    const last = everything
      ? this.shown.length - 1
      : Math.min(this.shown.length - 1, Math.ceil((scrollTop + clientHeight) / ROW) + 10);
    const height = (last - first + (this.run.now_us === null ? 2 : 2.5)) * ROW;
    this.svg.setAttribute("width", this.width);
    this.svg.setAttribute("height", height);
    this.svg.setAttribute("viewBox", `0 ${first * ROW} ${this.width} ${height}`);
    this.svg.style.top = `${first * ROW}px`;
    this.svg.replaceChildren();
    this.#defs();
    const rows = element("g", {}, this.svg);
    if (this.rowOf[this.chosen] < 0 && this.shown.length > 0) {
      // The chosen moment is not shown: a line where it would be.
      const y = (this.rowBefore(this.chosen) + (this.shown[0] > this.chosen ? 0 : 1)) * ROW;
      element("line", { class: "between", x1: 0, x2: this.width, y1: y, y2: y }, rows);
    }
    const behind = element("g", {}, this.svg);
    const middle = element("g", {}, this.svg);
    const front = element("g", {}, this.svg);
    this.#drawLanes(behind, first, last);
    if (this.run.now_us !== null && last === this.shown.length - 1) this.#drawNow(behind);
    this.#drawMessages(middle, first, last);
    for (let row = first; row <= last; row += 1) this.#drawRow(rows, front, row);
  }

  #defs() {
    const defs = element("defs", {}, this.svg);
    for (const name of ["head", "head-late", "head-client"]) {
      const marker = element("marker", { id: name, class: name, viewBox: "0 0 8 8", refX: 8, refY: 4,
        markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" }, defs);
      element("path", { d: "M0 0L8 4L0 8z" }, marker);
    }
  }

  #drawLanes(parent, first, last) {
    this.segments.forEach((segments, at) => {
      const x = this.x.get(at + 1);
      segments.forEach(({ row, line, syncs }, number) => {
        const end = number + 1 < segments.length ? segments[number + 1].row : this.shown.length;
        if (end < first || row > last) return;
        const from = (Math.max(row, first - 1) + 0.5) * ROW;
        const to = (Math.min(end, last + 1) + 0.5) * ROW;
        if (syncs) {
          element("rect", { class: "sync", x: x + 4, y: from, width: 5, height: Math.max(2, to - from) }, parent);
        }
        element("line", { class: `lane ${line}`, x1: x, x2: x, y1: from, y2: to }, parent);
      });
    });
    const x = this.x.get("world");
    this.cuts.forEach(({ row, count }, number) => {
      const end = number + 1 < this.cuts.length ? this.cuts[number + 1].row : this.shown.length;
      if (count === 0 || end < first || row > last) return;
      const from = (Math.max(row, first - 1) + 0.5) * ROW;
      const to = (Math.min(end, last + 1) + 0.5) * ROW;
      const band = element("rect", { class: "cut", x: x - 7, y: from, width: 5, height: Math.max(3, to - from) }, parent);
      element("title", {}, band, `${count} ${count === 1 ? "link is" : "links are"} cut`);
    });
  }

  #drawMessages(parent, first, last) {
    const seen = new Set();
    const draw = (drawn) => {
      const onItsWay = this.run.onTheirWay.get(drawn.at);
      const rows = [drawn.from ?? drawn.to, onItsWay ? this.shown.length : drawn.to ?? drawn.from];
      if (seen.has(drawn.at) || rows[1] < first || rows[0] > last) return;
      seen.add(drawn.at);
      if (onItsWay) this.#drawOnItsWay(parent, drawn, onItsWay);
      else this.#drawMessage(parent, drawn);
    };
    for (let bucket = Math.floor(first / SPAN); bucket <= Math.floor(last / SPAN); bucket += 1) {
      (this.buckets.get(bucket) || []).forEach(draw);
    }
    this.longMessages.forEach(draw);
  }

  /** The present of a run that goes on. */
  #drawNow(parent) {
    const y = (this.shown.length + NOW) * ROW;
    element("line", { class: "now", x1: 0, x2: this.width, y1: y, y2: y }, parent);
    element("text", { class: "time", x: 6, y: y - 4 }, parent, (this.run.now_us / 1e6).toFixed(6));
    element("text", { class: "time", x: this.wordsAt + 6, y: y - 4 }, parent, "now");
  }

  /** A message that is on its way, from where it was sent to where it has come by now. */
  #drawOnItsWay(parent, { message, at, from }, { arrives_us }) {
    const [x1, x2] = [this.x.get(message.from), this.x.get(message.to)];
    const { run } = this;
    const sent_us = run.moments[message.sent].time_us;
    const spent = arrives_us > sent_us ? (run.now_us - sent_us) / (arrives_us - sent_us) : 1;
    const part = 0.2 + 0.65 * Math.max(0, Math.min(1, spent));
    const [x, y] = [x1 + (x2 - x1) * part, (this.shown.length + NOW) * ROW];
    const group = element("g", { class: `message on-its-way${at === run.taken ? " taken" : ""}`, "data-message": at }, parent);
    const words = `${nodeName(message.from)} to ${nodeName(message.to)}: ${message.text}; on its way, arrives at ${seconds(arrives_us)}`;
    element("title", {}, group, words);
    const y1 = (from + 0.5) * ROW;
    element("line", { class: "wide", x1, y1, x2: x, y2: y }, group);
    element("line", { x1, y1, x2: x, y2: y }, group);
    element("circle", { cx: x, cy: y, r: 6 }, group);
  }

  #drawMessage(parent, { message, from, to }) {
    const [x1, x2] = [this.x.get(message.from), this.x.get(message.to)];
    if (x1 === undefined || x2 === undefined) return;
    const y = (row) => (row + 0.5) * ROW;
    const late = this.run.isLate(message);
    const chosen = [message.sent, message.taken].includes(this.chosen) ? " chosen" : "";
    const routine = message.kind.startsWith("heartbeat") ? " routine" : "";
    const group = element("g", { class: `message${late ? " late" : ""}${chosen}${routine}` }, parent);
    const fate = message.lost ? "; lost" : message.taken === undefined ? "; nobody took it in" : late ? "; late" : "";
    element("title", {}, group, `${nodeName(message.from)} to ${nodeName(message.to)}: ${message.text}${fate}${message.copy ? "; a second copy" : ""}`);
    if (from !== undefined && to !== undefined) {
      element("line", { x1, y1: y(from), x2, y2: y(to), "marker-end": late ? "url(#head-late)" : "url(#head)" }, group);
    } else if (from !== undefined && message.taken !== undefined) {
      // Its end is not shown.
      element("line", { class: "stub", x1, y1: y(from), x2, y2: y(from) + ROW * 0.45, "marker-end": "url(#head)" }, group);
    } else if (from !== undefined) {
      // It has no end.
      const towards = Math.sign(x2 - x1) * Math.min(Math.abs(x2 - x1), this.laneWidth * 0.7);
      const [endX, endY] = [x1 + towards, y(from) + ROW * 0.45];
      element("line", { class: "stub", x1, y1: y(from), x2: endX, y2: endY }, group);
      element("text", { class: "lost", x: endX, y: endY + 4 }, group, message.lost ? "✕" : "○");
    } else {
      // Its beginning is not shown.
      element("line", { class: "stub", x1, y1: y(to) - ROW * 0.45, x2, y2: y(to), "marker-end": late ? "url(#head-late)" : "url(#head)" }, group);
    }
  }

  #drawRow(rows, front, row) {
    const { run } = this;
    const place = this.shown[row];
    const moment = run.moments[place];
    const y = (row + 0.5) * ROW;
    const broken = run.violation && place === run.violation.moment;
    const classes = ["row", place === this.chosen ? "chosen" : "", broken ? "broken" : "",
      moment.past && run.violation ? "past" : ""].join(" ");
    element("rect", { class: classes, x: 0, y: row * ROW, width: this.width, height: ROW }, rows);
    element("text", { class: "time", x: 6, y: y + 4 }, front, (moment.time_us / 1e6).toFixed(6));
    element("text", { class: "step", x: TIME_WIDTH - 8, y: y + 4, "text-anchor": "end" }, front, moment.step);
    const x = this.x.get(moment.node ?? "world");
    this.#drawMark(front, moment, x, y, broken);
    for (const asked of run.operationsAsked.get(place) || []) {
      this.#drawClient(front, this.x.get("clients"), x, y - 4, run.operations[asked].text, false);
    }
    for (const { answer } of run.answersGiven.get(place) || []) {
      this.#drawClient(front, x, this.x.get("clients"), y + 5, answer.text, answer.refused);
    }
    if (moment.kind === "operator") {
      element("line", { class: "client", x1: this.x.get("world"), y1: y, x2: x + 6, y2: y, "marker-end": "url(#head-client)" }, front);
    }
    const who = moment.node === undefined ? "" : nodeName(moment.node) + " ";
    const words = element("text", { class: "words", x: this.wordsAt + 6, y: y + 4 }, front);
    element("tspan", { class: "who" }, words, who);
    element("tspan", {}, words, (broken ? "✱ " : "") + this.#line(place));
    element("title", {}, words, run.words(place).join("\n"));
  }

  /** What a row says. */
  #line(place) {
    const moment = this.run.moments[place];
    return [moment.text, ...(moment.lines || [])].filter((text) => text !== "").join("; ");
  }

  #drawMark(parent, moment, x, y, broken) {
    if (broken) {
      element("path", { class: "mark broken", d: star(x, y) }, parent);
    } else if (moment.kind === "down") {
      element("path", { class: "mark down", d: `M${x - 5} ${y - 5}L${x + 5} ${y + 5}M${x + 5} ${y - 5}L${x - 5} ${y + 5}` }, parent);
    } else if (moment.kind === "start") {
      element("path", { class: "mark start", d: `M${x - 5} ${y - 5}L${x + 6} ${y}L${x - 5} ${y + 5}z` }, parent);
    } else if (moment.node === undefined) {
      element("rect", { class: `mark ${moment.kind}`, x: x - 4.5, y: y - 4.5, width: 9, height: 9 }, parent);
    } else {
      element("circle", { class: `mark ${moment.kind}${moment.notable ? "" : " routine"}`, cx: x, cy: y, r: moment.notable ? 4 : 2.6 }, parent);
    }
    const badge = this.laneWidth >= 70 ? this.#badge(moment) : "";
    if (badge) element("text", { class: "badge", x: x + 11, y: y + 4 }, parent, badge);
  }

  /** What changed at the node of a moment, in a few letters. */
  #badge(moment) {
    const change = (moment.changes || []).find(({ node }) => node === moment.node);
    if (!change || moment.kind === "start") return "";
    const parts = [];
    if (change.term !== undefined) parts.push("t" + change.term);
    if (change.vote) parts.push("v:" + nodeName(change.vote));
    if (change.commit !== undefined) parts.push("c" + change.commit);
    return parts.join(" ");
  }

  #drawClient(parent, x1, x2, y, text, refused) {
    const group = element("g", { class: `client${refused ? " refused" : ""}` }, parent);
    const inset = 6 * Math.sign(x2 - x1);
    element("line", { x1, y1: y, x2: x2 - inset, y2: y, "marker-end": "url(#head-client)" }, group);
    element("title", {}, group, text);
  }
}

function star(x, y) {
  const points = [];
  for (let corner = 0; corner < 16; corner += 1) {
    const radius = corner % 2 === 0 ? 9 : 5;
    const angle = (corner * Math.PI) / 8;
    points.push(`${(x + radius * Math.sin(angle)).toFixed(1)} ${(y - radius * Math.cos(angle)).toFixed(1)}`);
  }
  return `M${points.join("L")}z`;
}

/** What the lines, marks and arrows mean; in a run that goes on, with messages on their way. */
function legend(list, goesOn) {
  const add = (drawing, words) => {
    const item = document.createElement("li");
    const svg = element("svg", { width: 34, height: 16, viewBox: "0 0 34 16" });
    drawing(svg);
    item.append(svg, " " + words);
    list.append(item);
  };
  for (const [role, words] of ROLES) {
    add((svg) => element("line", { class: `lane ${role}`, x1: 2, x2: 32, y1: 8, y2: 8 }, svg), words);
  }
  const arrow = (name, head) => (svg) => {
    const group = element("g", { class: name }, svg);
    element("line", { x1: 2, x2: 30, y1: 8, y2: 8, "marker-end": `url(#${head})` }, group);
  };
  add(arrow("message", "head"), "message");
  add(arrow("message late", "head-late"), "later than an election time-out");
  add((svg) => {
    const group = element("g", { class: "message" }, svg);
    element("line", { class: "stub", x1: 2, x2: 16, y1: 8, y2: 8 }, group);
    element("text", { class: "lost", x: 22, y: 12 }, group, "✕");
  }, "lost (○: nobody took it in)");
  if (goesOn) {
    add((svg) => {
      const group = element("g", { class: "message on-its-way" }, svg);
      element("line", { x1: 2, x2: 20, y1: 4, y2: 11 }, group);
      element("circle", { cx: 24, cy: 11, r: 4 }, group);
    }, "on its way now: click it");
  }
  add(arrow("client", "head-client"), "a client asks, is answered");
  add((svg) => element("line", { class: "message stub-alone", x1: 2, x2: 30, y1: 5, y2: 11 }, svg), "pale: the other end is not shown");
  add((svg) => element("rect", { class: "sync", x: 14, y: 1, width: 5, height: 14 }, svg), "term, vote or entries that are not on the disk yet");
  for (const [kind, words] of [["tick", "timer"], ["message", "takes a message in"], ["synced", "a sync is done"],
    ["client", "a client asks"], ["operator", "an operator asks"]]) {
    add((svg) => element("circle", { class: `mark ${kind}`, cx: 17, cy: 8, r: 4 }, svg), words);
  }
  add((svg) => element("rect", { class: "mark fault", x: 12.5, y: 3.5, width: 9, height: 9 }, svg), "a fault begins");
  add((svg) => element("rect", { class: "mark fault-over", x: 12.5, y: 3.5, width: 9, height: 9 }, svg), "a fault is over");
  add((svg) => element("rect", { class: "row past", x: 2, y: 1, width: 30, height: 14 }, svg), "led to the violation");
  add((svg) => element("rect", { class: "cut", x: 14, y: 1, width: 5, height: 14 }, svg), "links are cut");
  add((svg) => element("path", { class: "mark down", d: "M11 3L21 13M21 3L11 13" }, svg), "goes down");
  add((svg) => element("path", { class: "mark start", d: "M12 3L23 8L12 13z" }, svg), "starts");
  add((svg) => element("path", { class: "mark broken", d: star(17, 8) }, svg), "breaks the rule");
  add((svg) => element("text", { class: "badge", x: 0, y: 12 }, svg, "t v c"), "term, vote, commit that are new");
}
