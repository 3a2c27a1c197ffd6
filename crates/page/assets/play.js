"use strict";
// A person plays: each act is a line of the story, and the server makes the run anew.

class Play {
  constructor() {
    this.client = new Client();
    this.page = new Page({ take: (message) => this.messages.choose(message) });
    this.time = new TimeBoard(this);
    this.node = new NodeBoard(this);
    this.messages = new MessageBoard(this);
    this.turn = Promise.resolve();
    const on = (id, wish) => $(id).addEventListener("click", () => this.act(() => wish));
    on("undo", "undo");
    on("redo", "redo");
    on("reset", "reset");
    $("subject").addEventListener("change", () => this.act(() => ({ on: $("subject").value })));
    $("save-story").addEventListener("click", () => this.#save("story", "sim"));
    $("save-plan").addEventListener("click", () => this.#save("plan", "json"));
    $("say").addEventListener("input", () => this.#suggest());
    this.onSubmit("say-form", () => $("say").value, () => { $("say").value = ""; this.#suggest(); });
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Does what `wish` says when its turn comes: what it says may depend on what came before. */
  act(wish, done = () => {}) {
    this.turn = this.turn.then(async () => {
      document.body.setAttribute("aria-busy", "true");
      try {
        const wanted = wish();
        if (wanted !== null) this.show(await this.client.act(wanted));
        done();
        this.refused("");
      } catch (error) {
        this.refused(error.message);
        // What a person chose that is refused is not chosen.
        if (this.state) $("subject").value = this.state.subject;
      }
      document.body.removeAttribute("aria-busy");
    });
    return this.turn;
  }

  /** Says the command that `command` comes to; nothing where that is null. */
  say(command, done) {
    return this.act(() => {
      const line = command();
      return line === null || line === undefined ? null : { say: [line] };
    }, done);
  }

  onSubmit(id, command, done) {
    $(id).addEventListener("submit", (event) => {
      event.preventDefault();
      this.say(command, done);
    });
  }

  async begin() {
    try {
      this.show(await this.client.state());
    } catch (error) {
      this.refused(error.message);
    }
    document.documentElement.dataset.ready = "yes";
  }

  refused(words) {
    $("refused").hidden = words === "";
    $("refused").textContent = words;
  }

  show(state) {
    this.state = state;
    const isOver = state.is_broken || state.is_healed;
    tellOutcome(state);
    tellStory($("story-lines"), state.document.story);
    tellPlayed($("played"), state);
    const run = new Run(state.document, isOver ? {} : state);
    this.#showSubjects(state);
    $("violation").hidden = !state.is_broken;
    this.page.run = run;
    this.page.states = new States(run);
    this.messages.show(state, isOver);
    this.page.open(run);
    this.time.show(state, isOver);
    this.node.show(state, isOver);
    $("undo").disabled = state.played.length === 0;
    $("redo").disabled = state.undone.length === 0 || state.is_broken;
    $("reset").disabled = state.played.length === 0;
    document.title = `${state.subject}, ${milliseconds(state.now_us)} · Squall`;
    document.body.dataset.shown = String(Number(document.body.dataset.shown ?? 0) + 1);
  }

  #showSubjects({ subject, subjects }) {
    const select = $("subject");
    if (select.options.length === 0) {
      const group = (label, names) => make("optgroup", { label }, ...names.map((name) => make("option", { value: name }, name)));
      const isHonest = (name) => !name.includes("+");
      select.append(group("libraries", subjects.filter(isHonest)));
      const injected = subjects.filter((name) => !isHonest(name));
      if (injected.length > 0) select.append(group("with an injected bug", injected));
    }
    select.value = subject;
  }

  async #save(what, ending) {
    try {
      const text = await this.client.file(what);
      save(`${this.state.name}.${ending}`, text);
      this.refused("");
    } catch (error) {
      this.refused(error.message);
    }
  }

  #suggest() {
    const [name] = $("say").value.trim().split(/\s+/);
    const option = [...$("commands").options].find(({ value }) => value === name);
    $("usage").textContent = option ? `${option.dataset.usage}: ${option.textContent}` : "";
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, select, textarea")) return;
    const keys = { n: "next-event", m: "next-message", e: "run-election", u: "undo", r: "redo" };
    const runs = { 1: 1000, 2: 10000, 3: 100000 };
    const button = keys[event.key] ? $(keys[event.key])
      : runs[event.key] ? document.querySelector(`[data-run="${runs[event.key]}"]`) : null;
    if (button && !button.disabled) button.click();
    else if (event.key === "c") {
      event.preventDefault();
      $("say").focus();
    }
  }
}

new Play().begin();
