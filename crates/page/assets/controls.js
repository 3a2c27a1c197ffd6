"use strict";
// What a person does with the page: filter, slider, keys, address.

class Controls {
  constructor(places, { choose, filter }) {
    Object.assign(this, { places, choose, filter });
    this.#listen();
  }

  /** Is about this run from now on. What is filtered stays, as far as this run has it too. */
  open(run) {
    const had = this.run;
    this.run = run;
    if (!had) this.wanted = { show: "", node: null, kind: "", term: null, entry: null, words: "" };
    if (!had || Boolean(had.violation) !== Boolean(run.violation)) this.wanted.show = run.violation ? "past" : "notable";
    this.#fill();
  }

  #fill() {
    const { run, places, wanted } = this;
    const names = SHOWN.filter(([name]) => run.violation || name !== "past");
    places.show.replaceChildren(...names.map(([name, words]) => make("option", { value: name }, words)));
    places.show.value = wanted.show;
    places.ofNode.replaceChildren(make("option", { value: "" }, "all"));
    for (let id = 1; id <= run.nodes; id += 1) places.ofNode.append(make("option", { value: id }, nodeName(id)));
    if (wanted.node > run.nodes) wanted.node = null;
    places.ofNode.value = wanted.node ?? "";
    const kinds = new Set(run.messages.map((message) => message.kind));
    const others = new Set(run.moments.map((moment) => moment.kind).filter((kind) => kind !== "message" && kind !== "other"));
    places.ofKind.replaceChildren(make("option", { value: "" }, "all"),
      make("optgroup", { label: "messages" }, ...[...kinds].sort().map((kind) => make("option", { value: kind }, kind))),
      make("optgroup", { label: "else" }, ...[...others].sort().map((kind) => make("option", { value: kind }, kind))));
    if (!kinds.has(wanted.kind) && !others.has(wanted.kind)) wanted.kind = "";
    places.ofKind.value = wanted.kind;
    places.slider.max = Math.max(0, run.moments.length - 1);
  }

  #listen() {
    const { places } = this;
    const number = (input) => (input.value === "" ? null : Number(input.value));
    const read = () => {
      this.wanted = { show: places.show.value, node: number(places.ofNode), kind: places.ofKind.value,
        term: number(places.ofTerm), entry: number(places.ofEntry), words: places.ofWords.value };
      this.filter(this.wanted);
    };
    for (const name of ["show", "ofNode", "ofKind", "ofTerm", "ofEntry", "ofWords"]) {
      places[name].addEventListener("input", read);
    }
    places.form.addEventListener("submit", (event) => event.preventDefault());
    places.clear.addEventListener("click", () => {
      for (const name of ["ofNode", "ofKind", "ofTerm", "ofEntry", "ofWords"]) places[name].value = "";
      read();
    });
    places.slider.addEventListener("input", () => this.choose(Number(places.slider.value)));
    places.first.addEventListener("click", () => this.go("first"));
    places.previous.addEventListener("click", () => this.go("previous"));
    places.next.addEventListener("click", () => this.go("next"));
    places.last.addEventListener("click", () => this.go("last"));
    places.violation?.addEventListener("click", () => this.go("violation"));
    places.copy?.addEventListener("click", () => this.#copy());
    document.addEventListener("keydown", (event) => this.#key(event, read));
    for (const moved of ["hashchange", "popstate"]) window.addEventListener(moved, () => this.follow());
  }

  #copy() {
    const text = this.places.reproduce.textContent;
    const done = () => { this.places.copy.textContent = "Copied"; };
    if (navigator.clipboard) {
      navigator.clipboard.writeText(text).then(done, () => this.#select());
    } else {
      this.#select();
    }
  }

  #select() {
    getSelection().selectAllChildren(this.places.reproduce);
  }

  #key(event, read) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.run) return;
    const typing = event.target.matches("input:not([type=range]), select, textarea");
    if (typing) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const moves = { j: "next", ArrowDown: "next", k: "previous", ArrowUp: "previous",
      Home: "first", End: "last", PageDown: "page down", PageUp: "page up", v: "violation" };
    if (event.target.matches("input[type=range]") && ["Home", "End", "PageUp", "PageDown"].includes(event.key)) return;
    if (moves[event.key]) {
      event.preventDefault();
      this.go(moves[event.key]);
      this.places.scroll.scrollIntoView({ block: "nearest" });
    } else if (event.key === "a") {
      this.places.show.value = this.places.show.value === "all" ? (this.run.violation ? "past" : "notable") : "all";
      read();
    } else if (event.key === "/") {
      event.preventDefault();
      this.places.ofWords.focus();
    }
  }

  /** Goes to the address's step, if it has one. */
  follow() {
    const [, name, value] = location.hash.match(/^#(step|moment)=(\d+)$/) || [];
    if (name === "step") this.choose(this.run.momentOfStep(Number(value)), { keepAddress: true });
    else if (name === "moment") this.choose(Math.min(Number(value), this.run.moments.length - 1), { keepAddress: true });
    return name !== undefined;
  }

  /** The moments that are shown, for going from one to the next. */
  shownAre(shown) {
    this.shown = shown;
    const all = this.run.moments.length;
    const only = shown.length === 1 && this.run.violation && shown[0] === this.run.violation.moment;
    this.places.count.textContent = shown.length === all ? `all ${all} moments`
      : only ? "none but the violation" : `${shown.length} of ${all} moments`;
  }

  chosenIs(place) {
    this.chosen = place;
    this.places.slider.value = place;
    const { step, time_us } = this.run.moments[place];
    const [words = ""] = this.run.words(place);
    this.places.slider.setAttribute("aria-valuetext", `step ${step}, ${seconds(time_us)}: ${words}`);
  }

  go(where) {
    const { shown, chosen, run } = this;
    if (where === "violation") {
      if (run.violation) this.choose(run.violation.moment);
      return;
    }
    if (shown.length === 0) return;
    // The first that lies at the chosen moment or after it.
    let at = shown.findIndex((place) => place >= chosen);
    if (at === -1) at = shown.length;
    const exact = shown[at] === chosen;
    const to = { first: 0, last: shown.length - 1, next: exact ? at + 1 : at, previous: at - 1,
      "page down": at + 20, "page up": at - 20 }[where];
    this.choose(shown[Math.max(0, Math.min(shown.length - 1, to))]);
  }
}

/** Saves text as a file of the person's. */
function save(name, text) {
  const link = make("a", { download: name.replace(/[^\w.+-]/g, "_"), href: URL.createObjectURL(new Blob([text], { type: "application/json" })) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
