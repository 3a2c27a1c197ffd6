"use strict";
// The page of a run: its parts, and one run after the other in them.

const $ = (id) => document.getElementById(id);

class Page {
  /** Of a run that goes on, a message on its way that is clicked goes to `take`. */
  constructor({ take } = {}) {
    const choose = (place, how) => this.choose(place, how);
    this.panel = new Panel({ at: $("at"), moment: $("moment"), nodes: $("nodes"), around: $("around") });
    this.diagram = new Diagram($("scroll"), $("canvas"), $("lanes"), choose, take);
    this.controls = new Controls({
      form: $("filter"), show: $("show"), ofNode: $("of-node"), ofKind: $("of-kind"), ofTerm: $("of-term"),
      ofEntry: $("of-entry"), ofWords: $("of-words"), clear: $("clear"), count: $("count"), slider: $("slider"),
      first: $("first"), previous: $("previous"), next: $("next"), last: $("last"), violation: $("violation"),
      copy: $("copy"), reproduce: $("reproduce"), scroll: $("scroll"),
    }, { choose, filter: (wanted) => this.filter(wanted) });
    this.told = [];
    legend($("legend"), take !== undefined);
    window.addEventListener("beforeprint", () => this.diagram.draw(this.run.moments.length < 2000));
    window.addEventListener("afterprint", () => this.diagram.draw());
  }

  /** Shows a run: its violation, or its last moment, or the moment of the address. The story's lines are those in the page. */
  open(run, { byAddress = false } = {}) {
    this.run = run;
    this.states = new States(run);
    for (const part of [this.panel, this.diagram, this.controls]) part.open(run);
    this.#followStory();
    const start = run.violation ? run.violation.moment : run.moments.length - 1;
    this.controls.chosen = Math.max(0, start);
    this.filter(this.controls.wanted);
    if (run.moments.length > 0 && !(byAddress && this.controls.follow())) this.choose(this.controls.chosen, { keepAddress: true });
    this.#warm();
  }

  choose(place, { keepAddress = false, comeBack = false } = {}) {
    if (comeBack) history.pushState(null, "", `#moment=${place}`);
    this.controls.chosenIs(place);
    this.diagram.mark(place);
    this.panel.show(place, this.states.after(place));
    for (const line of this.told) line.classList.toggle("chosen", Number(line.dataset.moment) === place);
    if (!keepAddress) history.replaceState(null, "", `#moment=${place}`);
  }

  filter(wanted) {
    const shown = shownMoments(this.run, wanted);
    this.controls.shownAre(shown);
    this.diagram.show(shown);
    this.diagram.mark(this.controls.chosen);
  }

  #followStory() {
    this.told = [...document.querySelectorAll("#story li[data-moment]")];
    for (const line of this.told) {
      const place = Number(line.dataset.moment);
      line.addEventListener("mouseenter", () => this.diagram.mark(place));
      line.addEventListener("mouseleave", () => this.diagram.mark(this.controls.chosen));
      line.addEventListener("click", (event) => {
        event.preventDefault();
        this.choose(place, { comeBack: true });
        $("scroll").scrollIntoView({ block: "nearest" });
      });
    }
  }

  /** The first search is to find its words ready. */
  #warm() {
    if (!window.requestIdleCallback) return;
    const { run } = this;
    let warmed = 0;
    const warm = (deadline) => {
      if (run !== this.run) return;
      while (warmed < run.moments.length && deadline.timeRemaining() > 2) run.searched(warmed++);
      if (warmed < run.moments.length) requestIdleCallback(warm);
    };
    requestIdleCallback(warm);
  }
}
